"""Pairs of platforms, and whether an image for the second runs on the first, each with its source.

containerd takes a step from arm64 to arm and from amd64 to 386, which decision 0024 does not; those
rows have the decision as their source. All other rows agree with the table that they name.
"""

from __future__ import annotations

from typing import Final

_SOURCES: Final = {
    "containerd-only": "containerd/platforms compare_test.go, TestOnly",
    "goarm64": "Go, GOARM64: v9.N has all of v8.(N+5)",
    "goamd64": "Go, GOAMD64: v1 to v4, the default is v1",
    "goppc64": "Go, GOPPC64: power8 is the default, then power9 and power10",
    "goriscv64": "Go, GORISCV64: rva20u64 is the default, then rva22u64 and rva23u64",
    "gomips": "Go, GOMIPS and GOMIPS64: hardfloat is the default, and softfloat needs no unit",
    "go386": "Go, GO386: sse2 is the default, or softfloat",
    "unlisted": "image-spec image-index.md, Platform Variants: values that are not listed",
    "architecture": "decision 0024: no step to another architecture",
    "system": "decision 0024: no step to another operating system",
    "containerd-parse": "containerd/platforms platforms_test.go, TestParseSelector",
    "regclient": "regclient types/platform/compare_test.go",
    "crane": "go-containerregistry v1/platform.go, Satisfies: a wanted version is the same",
    "version": "decision 0024: a wanted version may be the beginning, up to a dot",
    "features": "image-spec image-index.md, os.features: each is mandatory",
    "buildkit": "BuildKit: the platform of an attestation",
}

# What is wanted, what is offered, whether it fits, and the key of the source.
_TABLE: Final = """\
linux/amd64                      linux/amd64                          yes containerd-only
linux/amd64                      linux/amd64/v2                       no  containerd-only
linux/amd64                      linux/arm/v7                         no  containerd-only
linux/amd64                      linux/arm64                          no  containerd-only
linux/amd64                      windows/amd64                        no  containerd-only
linux/amd64                      windows/arm                          no  containerd-only
linux/amd64/v2                   linux/amd64                          yes containerd-only
linux/amd64/v2                   linux/amd64/v1                       yes containerd-only
linux/amd64/v2                   linux/amd64/v2                       yes containerd-only
linux/amd64/v2                   linux/amd64/v3                       no  containerd-only
linux/amd64/v2                   linux/amd64/v4                       no  containerd-only
linux/amd64/v2                   linux/arm64                          no  containerd-only
linux/amd64/v2                   windows/amd64                        no  containerd-only
linux/386                        linux/386                            yes containerd-only
linux/386                        linux/amd64                          no  containerd-only
linux/386                        linux/arm/v7                         no  containerd-only
linux/386                        windows/amd64                        no  containerd-only
windows/amd64                    windows/amd64                        yes containerd-only
windows/amd64                    windows(10.0.17763)/amd64            yes containerd-only
windows/amd64                    linux/amd64                          no  containerd-only
windows/amd64                    windows/arm                          no  containerd-only
linux/arm/v8                     linux/arm                            yes containerd-only
linux/arm/v8                     linux/arm/v5                         yes containerd-only
linux/arm/v8                     linux/arm/v6                         yes containerd-only
linux/arm/v8                     linux/arm/v7                         yes containerd-only
linux/arm/v8                     linux/arm/v8                         yes containerd-only
linux/arm/v8                     linux/arm/v4                         no  containerd-only
linux/arm/v8                     linux/arm64                          no  containerd-only
linux/arm/v8                     linux/amd64                          no  containerd-only
linux/arm/v7                     linux/arm                            yes containerd-only
linux/arm/v7                     linux/arm/v5                         yes containerd-only
linux/arm/v7                     linux/arm/v6                         yes containerd-only
linux/arm/v7                     linux/arm/v7                         yes containerd-only
linux/arm/v7                     linux/arm/v4                         no  containerd-only
linux/arm/v7                     linux/arm/v8                         no  containerd-only
linux/arm/v7                     linux/arm64                          no  containerd-only
linux/arm/v6                     linux/arm/v5                         yes containerd-only
linux/arm/v6                     linux/arm/v6                         yes containerd-only
linux/arm/v6                     linux/arm                            no  containerd-only
linux/arm/v6                     linux/arm/v4                         no  containerd-only
linux/arm/v6                     linux/arm/v7                         no  containerd-only
linux/arm/v6                     linux/arm/v8                         no  containerd-only
linux/arm/v5                     linux/arm/v5                         yes containerd-only
linux/arm/v5                     linux/arm                            no  containerd-only
linux/arm/v5                     linux/arm/v4                         no  containerd-only
linux/arm/v5                     linux/arm/v6                         no  containerd-only
linux/arm/v4                     linux/arm/v4                         yes containerd-only
linux/arm/v4                     linux/arm                            no  containerd-only
linux/arm/v4                     linux/arm/v5                         no  containerd-only
linux/arm/v4                     linux/arm/v7                         no  containerd-only
linux/arm64/v9.6                 linux/arm64                          yes containerd-only
linux/arm64/v9.6                 linux/arm64/v8                       yes containerd-only
linux/arm64/v9.6                 linux/arm64/v8.1                     yes containerd-only
linux/arm64/v9.6                 linux/arm64/v8.5                     yes containerd-only
linux/arm64/v9.6                 linux/arm64/v8.9                     yes containerd-only
linux/arm64/v9.6                 linux/arm64/v9                       yes containerd-only
linux/arm64/v9.6                 linux/arm64/v9.0                     yes containerd-only
linux/arm64/v9.6                 linux/arm64/v9.1                     yes containerd-only
linux/arm64/v9.6                 linux/arm64/v9.5                     yes containerd-only
linux/arm64/v9.6                 linux/arm64/v9.6                     yes containerd-only
linux/arm64/v9.6                 linux/arm64/v8.10                    no  containerd-only
linux/arm64/v9.6                 linux/amd64                          no  containerd-only
linux/arm64/v9.6                 windows/arm                          no  containerd-only
linux/arm64/v9                   linux/arm64                          yes containerd-only
linux/arm64/v9                   linux/arm64/v8                       yes containerd-only
linux/arm64/v9                   linux/arm64/v8.1                     yes containerd-only
linux/arm64/v9                   linux/arm64/v8.2                     yes containerd-only
linux/arm64/v9                   linux/arm64/v8.3                     yes containerd-only
linux/arm64/v9                   linux/arm64/v8.4                     yes containerd-only
linux/arm64/v9                   linux/arm64/v8.5                     yes containerd-only
linux/arm64/v9                   linux/arm64/v9                       yes containerd-only
linux/arm64/v9                   linux/arm64/v9.0                     yes containerd-only
linux/arm64/v9                   linux/arm64/v8.6                     no  containerd-only
linux/arm64/v8.1                 linux/arm64                          yes containerd-only
linux/arm64/v8.1                 linux/arm64/v8                       yes containerd-only
linux/arm64/v8.1                 linux/arm64/v8.1                     yes containerd-only
linux/arm64/v8.1                 linux/arm64/v9                       no  containerd-only
linux/arm64/v8.1                 linux/arm/v9                         no  containerd-only
linux/arm64                      linux/arm64                          yes containerd-only
linux/arm64                      linux/arm64/v8                       yes containerd-only
linux/arm64                      linux/arm64/v9                       no  containerd-only
linux/arm64                      linux/arm/v9                         no  containerd-only
linux/arm64                      windows/arm                          no  containerd-only
linux/arm64/v9                   linux/arm64/v8.9                     no  goarm64
linux/arm64/v9                   linux/arm64/v9.1                     no  goarm64
linux/arm64/v9.0                 linux/arm64/v9                       yes goarm64
linux/arm64/v9.0                 linux/arm64/v8.5                     yes goarm64
linux/arm64/v9.0                 linux/arm64/v8.6                     no  goarm64
linux/arm64/v9.1                 linux/arm64/v8.6                     yes goarm64
linux/arm64/v9.1                 linux/arm64/v9.0                     yes goarm64
linux/arm64/v9.1                 linux/arm64/v8.7                     no  goarm64
linux/arm64/v9.1                 linux/arm64/v9.2                     no  goarm64
linux/arm64/v9.2                 linux/arm64/v8.7                     yes goarm64
linux/arm64/v9.2                 linux/arm64/v8.8                     no  goarm64
linux/arm64/v9.3                 linux/arm64/v8.8                     yes goarm64
linux/arm64/v9.3                 linux/arm64/v8.9                     no  goarm64
linux/arm64/v9.4                 linux/arm64/v8.9                     yes goarm64
linux/arm64/v9.4                 linux/arm64/v9.5                     no  goarm64
linux/arm64/v8.9                 linux/arm64/v8.8                     yes goarm64
linux/arm64/v8.9                 linux/arm64/v8.5                     yes goarm64
linux/arm64/v8.9                 linux/arm64/v9                       no  goarm64
linux/arm64/v8.9                 linux/arm64/v8.10                    no  goarm64
linux/arm64                      linux/arm64/v8.1                     no  goarm64
linux/amd64/v1                   linux/amd64                          yes goamd64
linux/amd64/v1                   linux/amd64/v1                       yes goamd64
linux/amd64/v1                   linux/amd64/v2                       no  goamd64
linux/amd64/v3                   linux/amd64                          yes goamd64
linux/amd64/v3                   linux/amd64/v2                       yes goamd64
linux/amd64/v3                   linux/amd64/v3                       yes goamd64
linux/amd64/v3                   linux/amd64/v4                       no  goamd64
linux/amd64/v4                   linux/amd64/v1                       yes goamd64
linux/amd64/v4                   linux/amd64/v3                       yes goamd64
linux/amd64/v4                   linux/amd64/v4                       yes goamd64
linux/amd64/v4                   linux/amd64/v5                       no  goamd64
linux/ppc64le                    linux/ppc64le                        yes goppc64
linux/ppc64le                    linux/ppc64le/power8                 yes goppc64
linux/ppc64le                    linux/ppc64le/power9                 no  goppc64
linux/ppc64le                    linux/ppc64                          no  goppc64
linux/ppc64le/power8             linux/ppc64le                        yes goppc64
linux/ppc64le/power8             linux/ppc64le/power8                 yes goppc64
linux/ppc64le/power8             linux/ppc64le/power9                 no  goppc64
linux/ppc64le/power8             linux/ppc64le/power10                no  goppc64
linux/ppc64le/power9             linux/ppc64le                        yes goppc64
linux/ppc64le/power9             linux/ppc64le/power8                 yes goppc64
linux/ppc64le/power9             linux/ppc64le/power9                 yes goppc64
linux/ppc64le/power9             linux/ppc64le/power10                no  goppc64
linux/ppc64le/power10            linux/ppc64le/power8                 yes goppc64
linux/ppc64le/power10            linux/ppc64le/power9                 yes goppc64
linux/ppc64le/power10            linux/ppc64le/power10                yes goppc64
linux/ppc64le/power10            linux/ppc64le/power11                no  goppc64
linux/ppc64/power9               linux/ppc64                          yes goppc64
linux/ppc64/power9               linux/ppc64/power8                   yes goppc64
linux/ppc64/power9               linux/ppc64le/power8                 no  goppc64
linux/riscv64                    linux/riscv64                        yes goriscv64
linux/riscv64                    linux/riscv64/rva20u64               yes goriscv64
linux/riscv64                    linux/riscv64/rva22u64               no  goriscv64
linux/riscv64/rva20u64           linux/riscv64                        yes goriscv64
linux/riscv64/rva20u64           linux/riscv64/rva20u64               yes goriscv64
linux/riscv64/rva20u64           linux/riscv64/rva22u64               no  goriscv64
linux/riscv64/rva20u64           linux/riscv64/rva23u64               no  goriscv64
linux/riscv64/rva22u64           linux/riscv64                        yes goriscv64
linux/riscv64/rva22u64           linux/riscv64/rva20u64               yes goriscv64
linux/riscv64/rva22u64           linux/riscv64/rva22u64               yes goriscv64
linux/riscv64/rva22u64           linux/riscv64/rva23u64               no  goriscv64
linux/riscv64/rva23u64           linux/riscv64/rva20u64               yes goriscv64
linux/riscv64/rva23u64           linux/riscv64/rva22u64               yes goriscv64
linux/riscv64/rva23u64           linux/riscv64/rva23u64               yes goriscv64
linux/riscv64/rva23u64           linux/riscv64/rva30u64               no  goriscv64
linux/mips                       linux/mips                           yes gomips
linux/mips                       linux/mips/hardfloat                 yes gomips
linux/mips                       linux/mips/softfloat                 yes gomips
linux/mips                       linux/mipsle                         no  gomips
linux/mipsle/softfloat           linux/mipsle                         yes gomips
linux/mipsle/softfloat           linux/mipsle/softfloat               yes gomips
linux/mipsle/softfloat           linux/mipsle/hardfloat               no  gomips
linux/mips64le                   linux/mips64le                       yes gomips
linux/mips64le                   linux/mips64le/hardfloat             yes gomips
linux/mips64le                   linux/mips64le/softfloat             yes gomips
linux/mips64le                   linux/mips64                         no  gomips
linux/mips64le/hardfloat         linux/mips64le                       yes gomips
linux/mips64le/hardfloat         linux/mips64le/softfloat             yes gomips
linux/mips64le/hardfloat         linux/mips64le/hardfloat             yes gomips
linux/mips64/softfloat           linux/mips64                         yes gomips
linux/mips64/softfloat           linux/mips64/softfloat               yes gomips
linux/mips64/softfloat           linux/mips64/hardfloat               no  gomips
linux/386/sse2                   linux/386                            yes go386
linux/386/sse2                   linux/386/softfloat                  yes go386
linux/386/sse2                   linux/386/avx                        no  go386
linux/s390x                      linux/s390x                          yes unlisted
linux/s390x                      linux/s390x/z15                      no  unlisted
linux/s390x/z15                  linux/s390x                          yes unlisted
linux/s390x/z15                  linux/s390x/z15                      yes unlisted
linux/s390x/z15                  linux/s390x/z14                      no  unlisted
linux/loong64/la664              linux/loong64                        yes unlisted
linux/loong64/la664              linux/loong64/la464                  no  unlisted
linux/arm64/armada               linux/arm64                          yes unlisted
linux/arm64/armada               linux/arm64/armada                   yes unlisted
linux/arm64/armada               linux/arm64/v8.1                     no  unlisted
linux/amd64                      linux/386                            no  architecture
linux/arm64                      linux/arm                            no  architecture
linux/arm64                      linux/arm/v5                         no  architecture
linux/arm64                      linux/arm/v6                         no  architecture
linux/arm64                      linux/arm/v7                         no  architecture
linux/arm64                      linux/arm/v8                         no  architecture
linux/arm64/v9                   linux/arm                            no  architecture
linux/arm64/v9                   linux/arm/v8                         no  architecture
darwin/arm64                     darwin/arm64/v8                      yes system
darwin/arm64                     linux/arm64                          no  system
darwin/arm64                     darwin/amd64                         no  system
linux/arm64                      linux/aarch64                        yes containerd-parse
linux/arm64                      linux/aarch64/v8                     yes containerd-parse
linux/arm64                      linux/arm64/8                        yes containerd-parse
linux/arm64                      linux/armhf                          no  containerd-parse
linux/arm64/v8                   linux/aarch64                        yes containerd-parse
linux/arm64/v8                   linux/arm64                          yes containerd-parse
linux/arm                        linux/arm/v7                         yes containerd-parse
linux/arm                        linux/armhf                          yes containerd-parse
linux/arm                        linux/arm/7                          yes containerd-parse
linux/arm                        linux/arm/v8                         no  containerd-parse
linux/arm/v6                     linux/armel                          yes containerd-parse
linux/arm/v6                     linux/armhf                          no  containerd-parse
linux/arm/v7                     linux/armhf                          yes containerd-parse
linux/arm/v7                     linux/armel                          yes containerd-parse
Linux/x86_64                     linux/amd64                          yes containerd-parse
Linux/x86_64                     linux/x86-64                         yes containerd-parse
Linux/x86_64                     linux/i386                           no  containerd-parse
linux/i386                       linux/386                            yes containerd-parse
macOS/aarch64                    darwin/arm64                         yes containerd-parse
macOS/aarch64                    macos/amd64                          no  containerd-parse
linux/amd64/v3                   darwin/amd64                         no  regclient
freebsd/amd64/v2                 freebsd/amd64                        yes regclient
freebsd/amd64/v2                 freebsd/amd64/v2                     yes regclient
freebsd/amd64/v2                 linux/amd64                          no  regclient
windows(10.0.17763.2114)/amd64   windows(10.0.17763.2114)/amd64       yes regclient
windows(10.0.17763.2114)/amd64   windows(10.0.14393.4583)/amd64       no  regclient
windows(10.0.14393.4583)/amd64   windows(10.0.17763.2114)/amd64       no  regclient
windows/amd64:10.0.20348.1       windows/amd64:10.0.20348.1           yes crane
windows/amd64:10.0.20348.1       windows/amd64                        no  crane
windows/amd64:10.0.20348.1       windows/amd64:10.0.20348.2           no  crane
windows/amd64                    windows/amd64:10.0.20348.1           yes crane
windows/amd64                    windows/amd64:10.0.17763.1           yes crane
windows/amd64                    linux/amd64:10.0.20348.1             no  crane
windows(10.0.20348)/amd64        windows(10.0.20348.1)/amd64          yes version
windows(10.0.20348)/amd64        windows(10.0.20348)/amd64            yes version
windows(10.0.20348)/amd64        windows/amd64,osver=10.0.20348.9     yes version
windows(10.0.20348)/amd64        windows(10.0.203481)/amd64           no  version
windows(10.0.20348)/amd64        windows(10.0)/amd64                  no  version
windows(10.0.20348)/amd64        windows(10.0.17763.1)/amd64          no  version
windows(10.0.20348)/amd64        windows/amd64                        no  version
windows(10.0)/amd64              windows(10.0.20348.1)/amd64          yes version
windows(10.0)/amd64              windows(10.01)/amd64                 no  version
windows/amd64                    windows(+win32k)/amd64               no  features
windows(+win32k)/amd64           windows/amd64                        yes features
windows(+win32k)/amd64           windows(+win32k)/amd64               yes features
windows(+win32k)/amd64           windows(10.0.20348.1+win32k)/amd64   yes features
windows(+win32k)/amd64           windows(+win32k+x)/amd64             no  features
windows(10.0.20348+win32k)/amd64 windows(10.0.20348.1+win32k)/amd64   yes features
windows(10.0.20348+win32k)/amd64 windows(10.0.20348.1)/amd64          yes features
windows(10.0.20348+win32k)/amd64 windows(10.0.17763.1+win32k)/amd64   no  features
linux(+gpu+simd)/arm64           linux(+simd+gpu)/arm64               yes features
linux(+gpu+simd)/arm64           linux(+gpu)/arm64/v8                 yes features
linux(+gpu+simd)/arm64           linux(+gpu)/amd64                    no  features
linux(+gpu+simd)/arm64           linux(+Gpu)/arm64                    no  features
linux/amd64                      unknown/unknown                      no  buildkit
"""

PAIRS: Final = [
    (wanted, offered, fits == "yes", _SOURCES[source])
    for wanted, offered, fits, source in map(str.split, _TABLE.splitlines())
]
"""What is wanted, what is offered, whether it fits, and where that is said."""
