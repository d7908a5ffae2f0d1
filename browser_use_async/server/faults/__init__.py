"""Fault injection in the bundled server."""

from browser_use_async.server.faults.fault import Fault, FaultKind
from browser_use_async.server.faults.injection import FaultInjector
from browser_use_async.server.faults.notation import (
    fault_as_json,
    fault_from_text,
    faults_from_file,
    faults_from_json,
)

__all__ = [
    "Fault",
    "FaultInjector",
    "FaultKind",
    "fault_as_json",
    "fault_from_text",
    "faults_from_file",
    "faults_from_json",
]
