"""The shared settings of all servers and clients of the fleet tests."""

API_KEY = "bu_fleet_of_the_tests_0123456789"
SERVER_KEY = "a-key-of-the-fleet-tests-0123456789"
