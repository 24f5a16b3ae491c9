"""voxlane next to what a user would pick instead, on this machine.

    python3 benches/compare run              every contestant, every case; results/, the tables and the plots
    python3 benches/compare run --quick      small cases with what is quickly installed; its results go to target/
    python3 benches/compare report           README tables and plots from the newest file in results/
    python3 benches/compare report --check   fails if the README's tables are not those of that file

It installs what it needs: Python packages in a venv under target/, Debian packages if it is root.
"""

import argparse
import sys

# Nothing is written next to the sources.
sys.dont_write_bytecode = True

import environment  # noqa: E402


def main():
    parser = argparse.ArgumentParser(
        prog="python3 benches/compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure")
    run.add_argument("--quick", action="store_true", help="small cases and few contestants")
    run.add_argument("--only", metavar="TEXT", action="append", help="rows whose case or contestant holds TEXT")
    run.add_argument("--budget", type=float, metavar="SECONDS", help="time for the turns of a row (quick 0.3, else 0.4)")
    report = commands.add_parser("report", help="make tables and plots")
    report.add_argument("--check", action="store_true", help="compare the README with the results, write nothing")
    report.add_argument("--results", metavar="FILE", help="in place of the newest file in results/")
    options = parser.parse_args()

    environment.enter_venv(others=options.command == "run" and not options.quick)
    if options.command == "run":
        import run as command
    else:
        import report as command
    sys.exit(command.main(options))


if __name__ == "__main__":
    main()
