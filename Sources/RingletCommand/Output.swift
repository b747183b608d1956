import Glibc

/// Hands what was printed to whoever reads it, also when that is not a terminal.
func flushOutput() {
    fflush(nil)
}
