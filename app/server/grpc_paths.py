"""The methods of gRPC as paths, grouped by what the guard and the request log must know of them."""

from __future__ import annotations

SERVICE = "/inference.GRPCInferenceService/"
HEALTH_SERVICE = "/grpc.health.v1.Health/"

GRPC_PROBES = frozenset({SERVICE + "ServerLive", SERVICE + "ServerReady", HEALTH_SERVICE + "Check"})
"""Methods that are always open, and have a line in the log only if they fail."""
GRPC_READING = frozenset(
    SERVICE + name
    for name in (
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelConfig",
        "ModelStatistics",
        "RepositoryIndex",
        "SystemSharedMemoryStatus",
        "CudaSharedMemoryStatus",
    )
)
"""Methods that every key may call."""
GRPC_CONTROL = frozenset(SERVICE + name for name in ("RepositoryModelLoad", "RepositoryModelUnload"))
"""Methods that only a key for control may call."""
