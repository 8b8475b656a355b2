// The dispatcher. Everything happens on the main thread and without Foundation: see docs/contract.md.

internal import Glibc

exit(Dispatch().run())
