"""Fault injection in the bundled server."""

from browser_use_async.server.faults.fault import KINDS, Fault
from browser_use_async.server.faults.injection import FaultInjector, check_faults
from browser_use_async.server.faults.notation import (
    fault_as_json,
    fault_from_text,
    faults_from_file,
    faults_from_json,
)

__all__ = [
    "KINDS",
    "Fault",
    "FaultInjector",
    "check_faults",
    "fault_as_json",
    "fault_from_text",
    "faults_from_file",
    "faults_from_json",
]
