//! The command line of a realm.

fn main() -> std::process::ExitCode {
    realmctl::main()
}
