//! Scripts, what they print and how they end.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use client::testing::TestCluster;
use network::{Cidr, Machine, MachineOptions, NamespaceId, Owner, Sockets};
use runtime::{ContainerLog, Environment, Files, Flow, Io, Process, ProcessEvent, Signal};
use sim::{Clock, Duration, Stream, Time};

use crate::userland;

/// A container of one program, run by hand.
struct Bench {
    process: Box<dyn Process>,
    environment: Environment,
    files: Files,
    log: ContainerLog,
    cluster: TestCluster,
    machine: Machine,
    now: Time,
    flow: Flow,
}

impl Bench {
    fn new(argv: &[&str]) -> Self {
        let environment = Environment {
            argv: argv.iter().map(|word| (*word).to_string()).collect(),
            variables: BTreeMap::from([("NAME".to_string(), "world".to_string())]),
            hostname: "box".to_string(),
            working_directory: "/".to_string(),
            ports: Vec::new(),
        };
        let process = userland::start(argv[0], &environment, userland::no_program);
        let mut bench = Bench {
            process: process.expect("a program"),
            environment,
            files: Files::new(),
            log: ContainerLog::new(),
            cluster: TestCluster::new(),
            machine: Machine::new(MachineOptions {
                name: "box".to_string(),
                address: Cidr::host(Ipv4Addr::LOCALHOST),
            }),
            now: Time::ZERO,
            flow: Flow::Continue,
        };
        bench.on(ProcessEvent::Started);
        bench
    }

    fn script(script: &str) -> Self {
        Bench::new(&["sh", "-c", script])
    }

    fn on(&mut self, event: ProcessEvent) {
        let mut io = Io {
            now: self.now,
            clock: Clock::new(1_767_225_600),
            environment: &self.environment,
            files: &mut self.files,
            log: &mut self.log,
            network: Sockets {
                machine: &mut self.machine,
                namespace: NamespaceId::HOST,
                owner: Owner(1),
                now: self.now,
            },
            cx: self.cluster.context(0),
            stream: "bench",
        };
        self.flow = self.process.on(event, &mut io);
    }

    /// Runs to the end, or for at most that many timers. Returns the exit code.
    fn finish(&mut self, timers: u32) -> Option<i32> {
        for _ in 0..timers {
            match self.flow {
                Flow::Exit(code) => return Some(code),
                Flow::WaitUntil(time) => self.now = time,
                Flow::Continue => return None,
            }
            self.on(ProcessEvent::Timer);
        }
        None
    }
}

#[test]
fn scripts_print_and_exit_as_in_a_shell() {
    for (script, output, code) in [
        ("echo a; echo b", "a\nb\n", 0),
        ("echo hello $NAME", "hello world\n", 0),
        ("echo '$NAME' \"$NAME\" ${NAME}s ${NONE:-none}", "$NAME world worlds none\n", 0),
        ("false && echo no || echo yes", "yes\n", 0),
        ("true && echo yes || echo no", "yes\n", 0),
        ("exit 3", "", 3),
        ("false", "", 1),
        ("! false", "", 0),
        ("nosuch", "sh: nosuch: not found\n", 127),
        ("nosuch || echo $?", "sh: nosuch: not found\n127\n", 0),
        ("if [ $NAME = world ]; then echo same; else echo other; fi", "same\n", 0),
        ("if false; then echo a; elif true; then echo b; fi", "b\n", 0),
        ("for i in 1 2 3; do echo $i; done", "1\n2\n3\n", 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", "3\n", 0),
        ("until true; do echo never; done; echo done", "done\n", 0),
        ("while true; do break; done; echo out", "out\n", 0),
        ("for i in 1 2 3; do if [ $i = 2 ]; then continue; fi; echo $i; done", "1\n3\n", 0),
        ("x=$(echo a b); echo \"<$x>\"", "<a b>\n", 0),
        ("echo `echo old`", "old\n", 0),
        ("(x=1; exit 4); echo $? $x", "4\n", 0),
        ("{ echo a; echo b; } && echo c", "a\nb\nc\n", 0),
        ("echo to file > /tmp/f; cat /tmp/f; cat < /tmp/f", "to file\nto file\n", 0),
        ("echo 1 > /f; echo 2 >> /f; cat /f", "1\n2\n", 0),
        ("echo hidden > /dev/null; nosuch 2>/dev/null; echo $?", "127\n", 0),
        ("echo a b c | wc", "1\n", 0),
        ("printf '%s-%s\\n' a b | grep -q a && echo found", "found\n", 0),
        ("seq 3 | tail -n 1", "3\n", 0),
        ("printf '  HTTP/1.1 200 OK\\n  x: y\\n' | awk '/^  HTTP/{print $2}'", "200\n", 0),
        ("echo $(sleep 1; echo slow) $(echo fast)", "slow fast\n", 0),
        ("x=$(sleep 1; false) || echo failed", "failed\n", 0),
        ("set -e; false | true; echo on", "on\n", 0),
        ("{ sleep 1; echo late; } | grep -q late && echo found", "found\n", 0),
        ("for i in $(sleep 1; seq 2); do echo $i; done", "1\n2\n", 0),
        ("echo -n a; echo b # comment", "ab\n", 0),
        ("set -e; false; echo never", "", 1),
        ("set -e; if false; then echo a; fi; false || true; echo on", "on\n", 0),
        ("echo $((2 * (3 + 4) - 10 / 3 % 2))", "13\n", 0),
        ("trap 'echo bye' EXIT 2>/dev/null; echo $#", "0\n", 0),
        ("date +%Y-%m-%d; hostname", "2026-01-01\nbox\n", 0),
        ("eval 'echo one; echo two'", "one\ntwo\n", 0),
        ("sleep 1; echo late", "late\n", 0),
        ("(sleep 2; echo child) & echo parent; wait; echo end", "parent\nchild\nend\n", 0),
        ("cat /missing", "cat: can't open '/missing': No such file or directory\n", 1),
        ("echo a\necho b", "a\nb\n", 0),
        ("exec echo replaced; echo never", "replaced\n", 0),
        ("case abc in x) echo x;; a*|b) echo a;; *) echo other;; esac; echo on", "a\non\n", 0),
        ("case $NAME in (w?rld) echo fits;; esac", "fits\n", 0),
        ("case q in\n  x)\n    echo x\n    ;;\n  *)\n    exit 3\nesac", "", 3),
        ("for i in a b; do case $i in a) continue;; esac; echo $i; done", "b\n", 0),
        ("case $(sleep 1; echo late) in late) echo yes;; esac", "yes\n", 0),
        ("case x in y) echo no;; esac; echo $?", "0\n", 0),
        ("case x in x echo;; esac", "sh: syntax error: unexpected \"e\"\n", 2),
        ("if true; then echo", "sh: syntax error: unexpected end of file (expecting \"fi\")\n", 2),
        ("echo 'open", "sh: syntax error: unterminated quoted string\n", 2),
    ] {
        let mut bench = Bench::script(script);
        assert_eq!(bench.finish(20), Some(code), "{script}");
        assert_eq!(bench.log.text(), output, "{script}");
    }
}

#[test]
fn sleeping_takes_its_time() {
    for (word, want) in [("5", 5000), ("1.5", 1500), ("2m", 120_000), ("1h", 3_600_000)] {
        let mut bench = Bench::new(&["sleep", word]);
        assert_eq!(bench.finish(3), Some(0));
        assert_eq!(bench.now.as_millis(), want, "{word}");
    }
    assert_eq!(Bench::new(&["sleep", "x"]).finish(3), Some(1));
}

#[test]
fn a_loop_without_end_takes_time_and_is_bounded_in_every_instant() {
    let mut bench = Bench::script("while true; do echo x; done");
    assert_eq!(bench.finish(50), None);
    assert!(bench.now >= Time::ZERO + Duration::from_secs(1));
    assert!(bench.log.lines().len() < 200_000);
}

#[test]
fn the_first_process_ignores_signals_that_it_does_not_trap() {
    let mut bench = Bench::script("sleep 100");
    bench.on(ProcessEvent::Signal(Signal::Term));
    assert!(matches!(bench.flow, Flow::WaitUntil(_)));
    let script = "trap 'echo caught; exit 7' TERM; sleep 10; echo never";
    let mut bench = Bench::script(script);
    bench.on(ProcessEvent::Signal(Signal::Term));
    assert!(matches!(bench.flow, Flow::WaitUntil(_)), "the trap waits for the command to end");
    assert_eq!(bench.finish(3), Some(7));
    assert_eq!(bench.log.text(), "caught\n");
}

#[test]
fn a_trap_ends_the_wait_for_the_background() {
    let mut bench = Bench::script("trap 'exit 0' TERM; sleep 1000 & wait");
    bench.on(ProcessEvent::Signal(Signal::Term));
    assert_eq!(bench.flow, Flow::Exit(0));
}

#[test]
fn following_a_file_never_ends() {
    let bench = Bench::new(&["tail", "-f", "/dev/null"]);
    assert_eq!(bench.flow, Flow::Continue);
}

#[test]
fn malformed_scripts_are_refused_and_deep_ones_too() {
    for script in ["((((", "$(", "a | | b", ";;", "done", "echo )", "`", "${"] {
        let mut bench = Bench::script(script);
        assert_eq!(bench.finish(3), Some(2), "{script}");
    }
    let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
    assert_eq!(Bench::script(&deep).finish(3), Some(2));
    let deep = format!("{}true{}", "$(".repeat(500), ")".repeat(500));
    assert_eq!(Bench::script(&deep).finish(3), Some(2));
}

#[test]
fn scripts_that_would_take_all_memory_or_never_return_are_stopped() {
    for script in [
        "x=a; while true; do x=$x$x; done",
        "x='eval \"$x\"'; eval \"$x\"",
        "x='echo $(eval \"$x\")'; eval \"$x\"",
        "x='eval \"$x\" & eval \"$x\" & wait'; eval \"$x\"",
        "x=$(seq 9999); y=\"$x$x\"; for i in 1 2 3 4 5 6 7 8 9; do set a $y $y $y $y $y; done",
        "while true; do (sleep 1 &) & done",
        "while true; do echo $(echo $(echo $(echo deep))); done",
        "trap 'eval \"$x\"' TERM; x=:; while :; do :; done",
    ] {
        let mut bench = Bench::script(script);
        let ended = bench.finish(100);
        let waited = bench.now >= Time::ZERO + Duration::from_secs(1);
        assert!(ended.is_some() || waited || bench.flow == Flow::Continue, "{script}");
    }
}

#[test]
fn no_script_makes_the_shell_panic() {
    const WORDS: [&str; 40] = [
        "echo", "a", "$x", "${x:-b}", "$((x+1))", "$(", ")", "`", "'", "\"", ";", "&", "&&", "||",
        "|", "(", "{", "}", "if", "then", "fi", "else", "while", "do", "done", "for", "in",
        "sleep 1", "exit", "x=", ">", "2>&1", "/f", "<", "!", "\n", "\\", "é", "trap", "wait",
    ];
    let mut random = Stream::new(5, "scripts");
    for _ in 0..3000 {
        let length = random.below(12);
        let script: String = (0..length)
            .map(|_| {
                let place = usize::try_from(random.below(WORDS.len() as u64)).expect("small");
                let space = if random.below(4) == 0 { "" } else { " " };
                format!("{}{space}", WORDS[place])
            })
            .collect();
        let mut bench = Bench::script(&script);
        bench.finish(5);
        bench.on(ProcessEvent::Signal(Signal::Term));
    }
}
