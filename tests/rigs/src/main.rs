//! The rigs' program; `scripts/crash-test`, `scripts/power-loss` and `scripts/soak` build and run it.

fn main() -> std::process::ExitCode {
    realm_rigs::main()
}
