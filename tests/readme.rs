//! The README begins with the two commands that do everything: run it, test it.

use std::fs;
use std::path::Path;

#[test]
fn the_first_two_blocks_run_and_test() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = text.split("```").skip(1).step_by(2);
    for command in ["make -C c_examples run", "bash tests/run.sh"] {
        let block = blocks.next().expect("two fenced blocks");
        // The first line is the fence's: perhaps a language.
        let (_, body) = block.split_once('\n').unwrap();
        assert_eq!(body.trim(), command);
    }
}
