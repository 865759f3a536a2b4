//! Fuzzes the parser: shipped and wrong files are changed at random, again and again. Whatever comes of it is a scenario that answers
//! questions, or has mistakes with their places; nothing panics, and nothing takes longer than its size allows.

use std::time::{Duration, Instant};

use super::{charge, mistakes, mistakes_in_time};
use crate::domain::money::Money;
use crate::domain::payment::FollowUp;
use crate::domain::time::Timestamp;
use crate::simulator::scenario::{FILE_BYTES_MAX, Pack, Scenario};
use crate::simulator::tests::following;
use crate::simulator::{Question, SimulatorSettings, World};

/// How long a file may take, besides its bytes: the machine may be busy with other things.
const ANY_FILE: Duration = Duration::from_secs(1);
/// How long each of its bytes may take. Without optimization a usual file takes a tenth of that.
const EACH_BYTE: Duration = Duration::from_micros(20);
/// How many questions a file that can be read is asked.
const QUESTIONS: u64 = 100;

/// Random numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// Two places in something of this length, in their order and not far apart.
    fn span(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        let reach = 1 << self.below(8);
        from..(from + self.below(reach)).min(length)
    }
}

/// What is put in: values at bounds and beyond, brackets, quotes, keys.
const TOKENS: &[&str] = &[
    "0",
    "-1",
    "1",
    "0.0",
    "-0.0",
    "1e308",
    "1e-308",
    "nan",
    "inf",
    "-inf",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "0xffffffffffffffff",
    "0o7",
    "0b1",
    "99999999999999999999999999",
    "600000",
    "600001",
    "1_000",
    "true",
    "false",
    "\"\"",
    "\"*\"",
    "\"approved\"",
    "\"action_required\"",
    "\"decline:lost_card\"",
    "\"error:late\"",
    "'x'",
    "\"\"\"",
    "'''",
    "[]",
    "{}",
    "[[",
    "]]",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "#",
    "\n",
    "\r\n",
    "\t",
    "\\",
    "\\u0000",
    "\u{0}",
    "\u{feff}",
    "é",
    "👩🏽",
    "\u{202e}",
    "1979-05-27T07:32:00Z",
    "\"168h\"",
    "\"0s\"",
    "\"1e9h\"",
    "cents = [0, 99]",
    "holder = \"A*\"",
    "then = { dispute = \"general\" }",
    "packs = [\"amounts\", \"cents\", \"holder-names\"]",
    "[[rule]]\n",
    "[[acquirer]]\n",
    "[[window]]\n",
    "a.b.c.d.e = 1",
    "latency = { fixed_ms = 0 }",
    "share = 1",
    "not = [{ cents = 5 }]",
    "ramp = true",
    "latency_factor = 1000",
];

/// Numbers that a number may become.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.5",
    "99",
    "100",
    "1e9",
    "1e-9",
    "65535",
    "65536",
    "600000",
    "9223372036854775807",
    "nan",
    "inf",
];

/// One change.
fn mutate(file: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let length = file.len();
    match random.below(12) {
        0 => {
            file.iter_mut().skip(random.below(length)).take(1).for_each(|byte| *byte ^= 1 << random.below(8))
        }
        1 => drop(file.drain(random.span(length))),
        2 => {
            let copy = file[random.span(length)].to_vec();
            insert(file, random, &copy);
        }
        3 | 4 => {
            let token = random.pick(TOKENS);
            insert(file, random, token.as_bytes());
        }
        5 => replace_number(file, random),
        6 => lines(file, random),
        7 => {
            let other = &others[random.below(others.len())];
            let part = other[random.span(other.len())].to_vec();
            insert(file, random, &part);
        }
        8 => nest(file, random),
        9 => repeat(file, random),
        10 => file.truncate(random.below(length + 1)),
        _ => {
            let other = &others[random.below(others.len())];
            file.push(b'\n');
            file.extend_from_slice(other);
        }
    }
    // A little more than may be, now and then.
    file.truncate(FILE_BYTES_MAX + 16);
}

fn insert(file: &mut Vec<u8>, random: &mut Random, bytes: &[u8]) {
    let at = random.below(file.len() + 1);
    file.splice(at..at, bytes.iter().copied());
}

/// Puts another number in the place of one.
fn replace_number(file: &mut Vec<u8>, random: &mut Random) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let from = random.below(file.len() + 1);
    let Some(start) = file[from..].iter().position(is_digit).map(|at| from + at) else { return };
    let length = file[start..].iter().take_while(|byte| is_digit(byte) || **byte == b'.').count();
    file.splice(start..start + length, random.pick(NUMBERS).bytes());
}

/// Swaps two lines, or doubles one.
fn lines(file: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    let (one, other) = (random.below(lines.len()), random.below(lines.len()));
    if random.below(2) == 0 {
        lines.swap(one, other);
    } else {
        lines.insert(other, lines[one]);
    }
    *file = lines.join(&b'\n');
}

/// Puts something deep in.
fn nest(file: &mut Vec<u8>, random: &mut Random) {
    let open = random.pick(&["[", "{ a = ", "a.", "[[", "{ a.b.c = [", "\"\"\"", "not = [{ not = "]);
    let depth = 1 << random.below(14);
    let text = format!("\nx = {}", open.repeat(depth));
    let end = if random.below(2) == 0 { String::new() } else { "}".repeat(depth) };
    insert(file, random, format!("{text}{end}").as_bytes());
}

/// Repeats a part until the file is large, now and then as large as it may be.
fn repeat(file: &mut Vec<u8>, random: &mut Random) {
    let part = file[random.span(file.len())].to_vec();
    let size = if random.below(20) == 0 { FILE_BYTES_MAX } else { 1 << random.below(13) };
    if part.is_empty() || file.len() >= size {
        return;
    }
    let times = (size - file.len()) / part.len();
    insert(file, random, &part.repeat(times));
}

/// Asks a scenario that could be read.
fn ask(scenario: &Scenario, random: &mut Random) {
    let world = World::with_scenario(&SimulatorSettings::default(), scenario);
    for draw_key in 0..QUESTIONS {
        let amount_minor = i64::try_from(random.next() >> (1 + random.below(62))).unwrap();
        let queued_at = Timestamp::from_micros(i64::try_from(random.next() >> 20).unwrap());
        let attempt = u16::try_from(random.below(70_000).min(65_535)).unwrap();
        let mut question = charge(random.pick(&["visa", "amex", "chargeDeclined", "createDispute"]));
        question.operation.authenticated = random.below(2) == 0;
        let amount = Money::new(amount_minor, question.amount.currency);
        let (holder, email) = (Some("Ada"), Some("ada@example.org"));
        let payment_minor = amount_minor;
        let question =
            Question { draw_key, amount, payment_minor, queued_at, attempt, holder, email, ..question };
        let reply = world.authorize(&question);
        assert_eq!(reply, world.authorize(&question), "the same question has the same reply");
        let capture = following(&question, FollowUp::Capture { amount_minor });
        assert_eq!(world.follow_up(&capture), world.follow_up(&capture));
    }
}

/// Reads a file, and checks whatever comes of it. Whether it is a scenario.
fn read(file: &[u8], random: &mut Random) -> bool {
    let begun = Instant::now();
    let read = Scenario::parse(file);
    let (took, bytes) = (begun.elapsed(), u32::try_from(file.len()).unwrap());
    assert!(took < ANY_FILE + EACH_BYTE * bytes, "{bytes} bytes took {took:?}");
    match read {
        Ok(scenario) => {
            ask(&scenario, random);
            true
        }
        Err(errors) => {
            let lines = file.split(|byte| *byte == b'\n').count();
            assert!(!errors.errors().is_empty());
            for error in errors.errors() {
                assert!((1..=lines).contains(&error.line) && error.column >= 1, "{error} of {lines} lines");
                assert!(!error.problem.is_empty(), "{error:?}");
            }
            false
        }
    }
}

/// What is changed: the shipped files and the wrong ones.
fn corpus() -> Vec<Vec<u8>> {
    let shipped = std::fs::read_dir("config/scenarios").unwrap();
    let shipped = shipped.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let packs = Pack::ALL.map(|pack| pack.file().as_bytes().to_vec());
    let wrong = mistakes::wrong_files().into_iter().chain(mistakes_in_time::wrong_files());
    shipped.chain(packs).chain(wrong.map(String::into_bytes)).collect()
}

/// Changes files for so long; says how many there were, and how many of them were scenarios.
fn fuzz(seed: u64, time: Duration) -> (u64, u64) {
    let corpus = corpus();
    let (begun, mut files, mut scenarios) = (Instant::now(), 0, 0);
    while begun.elapsed() < time {
        // Each file has a seed of its own, which is all that is needed to see it again.
        let of_file = seed.wrapping_add(files);
        let mut random = Random(of_file);
        let mut file = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(6) {
            mutate(&mut file, &corpus, &mut random);
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&file, &mut random)));
        match result {
            Ok(is_scenario) => scenarios += u64::from(is_scenario),
            Err(_) => panic!("the file of seed {of_file}:\n{}", String::from_utf8_lossy(&file)),
        }
        files += 1;
        // A stack that overflows says nothing: this tells where to look.
        if files % 1_000 == 0 {
            println!("{files} files");
        }
    }
    (files, scenarios)
}

#[test]
fn changed_files_are_read_or_refused() {
    let (files, scenarios) = fuzz(1, Duration::from_secs(2));
    assert!(files > 20 && scenarios > 0, "{files} files, {scenarios} scenarios");
}

#[test]
#[ignore = "too long for CI: scripts/soak.sh"]
fn soak_fuzz_the_scenario_parser() {
    let number =
        |name: &str, otherwise| std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap());
    let seed = number("PAYSTORM_FUZZ_SEED", 1);
    let seconds = number("PAYSTORM_FUZZ_SECONDS", 600);
    let (files, scenarios) = fuzz(seed, Duration::from_secs(seconds));
    println!("{files} files in {seconds} s from seed {seed}: {scenarios} scenarios, the rest refused");
    assert!(files > seconds && scenarios > 0);
}
