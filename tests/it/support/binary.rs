//! The real program as its users start it: processes, files, signals. Two stacks, each with data of its own, removed at
//! the end whatever the test did.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use futures_util::FutureExt as _;
use paystorm::domain::ids::InstanceId;
use paystorm::domain::payment::Payment;
use paystorm::store::mysql::MySqlStore;
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{Store, StoreKind, StoreSettings};
use serde_json::Value;

/// Nothing here may take longer; a guard against hanging, not a measure.
pub const GUARD: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(25);

/// What the program runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQLite, the queue in the process, tantivy.
    Embedded,
    /// MySQL, RabbitMQ, Elasticsearch.
    Real,
}

/// Where the real services are.
#[derive(Debug, Clone)]
pub struct Services {
    pub mysql: String,
    pub amqp: String,
    pub amqp_admin: String,
    pub elasticsearch: String,
}

impl Services {
    /// Those that the environment names.
    pub fn shared() -> Self {
        let required = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set: start the services with `scripts/services.sh up`, then `eval \"$(scripts/services.sh env)\"`")
            })
        };
        Self {
            mysql: required("PAYSTORM_TEST_MYSQL_URL"),
            amqp: required("PAYSTORM_TEST_AMQP_URL"),
            amqp_admin: required("PAYSTORM_TEST_AMQP_ADMIN_URL"),
            elasticsearch: required("PAYSTORM_TEST_ELASTICSEARCH_URL"),
        }
    }
}

struct Real {
    services: Services,
    name: String,
}

/// One stack with its data; servers are started on it and commands run on it.
pub struct Stack {
    dir: tempfile::TempDir,
    real: Option<Real>,
    env: RefCell<Vec<(String, String)>>,
    /// How many files have been named so far.
    files: Cell<u32>,
}

/// Sets up a stack, runs the test on it, and removes everything; shows the end of every log if the test failed.
pub async fn on<F: Future<Output = ()>>(kind: Kind, test: impl FnOnce(Rc<Stack>) -> F) {
    match kind {
        Kind::Embedded => on_stack(None, test).await,
        Kind::Real => on_services(Services::shared(), test).await,
    }
}

/// The same on these services.
pub async fn on_services<F: Future<Output = ()>>(services: Services, test: impl FnOnce(Rc<Stack>) -> F) {
    let unique = InstanceId::generate().to_string().to_lowercase();
    let unique: String = unique.trim_start_matches("inst_").chars().rev().take(12).collect();
    on_stack(Some(Real { services, name: format!("paystorm_test_{unique}") }), test).await;
}

async fn on_stack<F: Future<Output = ()>>(real: Option<Real>, test: impl FnOnce(Rc<Stack>) -> F) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    if let Some(real) = &real {
        std::fs::write(dir.path().join("paystorm.toml"), real.config()).expect("the settings are written");
    }
    let stack = Rc::new(Stack { dir, real, env: RefCell::default(), files: Cell::new(0) });
    let outcome = AssertUnwindSafe(test(Rc::clone(&stack))).catch_unwind().await;
    if outcome.is_err() {
        stack.show_logs();
    }
    if let Some(real) = &stack.real {
        real.remove().await;
    }
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

impl Real {
    fn config(&self) -> String {
        let Services { mysql, amqp, elasticsearch, .. } = &self.services;
        let (name, mysql) = (&self.name, mysql.trim_end_matches('/'));
        format!(
            "[store]\nkind = \"mysql\"\nurl = \"{mysql}/{name}\"\n\
             [broker]\nkind = \"rabbitmq\"\nurl = \"{amqp}\"\nprefix = \"{name}\"\n\
             [search]\nkind = \"elasticsearch\"\nurl = \"{elasticsearch}\"\nprefix = \"{name}\"\n"
        )
    }

    async fn remove(&self) {
        let mut conn = AsyncMysqlConnection::establish(&self.services.mysql).await.expect("MySQL answers");
        let dropping = conn.batch_execute(&format!("DROP DATABASE IF EXISTS `{}`", self.name)).await;
        dropping.expect("the database is dropped");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let names = |list: Value, field: &str| -> Vec<String> {
            let all = list.as_array().cloned().unwrap_or_default();
            let own =
                all.iter().filter_map(|one| one[field].as_str()).filter(|name| name.starts_with(&self.name));
            own.map(str::to_owned).collect()
        };
        let list = async |url: String| -> Value {
            http.get(url).send().await.expect("an answer").json().await.unwrap_or(Value::Null)
        };
        for things in ["queues", "exchanges"] {
            let url = format!("{}/api/{things}/%2F", self.services.amqp_admin.trim_end_matches('/'));
            for name in names(list(url.clone()).await, "name") {
                http.delete(format!("{url}/{name}")).send().await.expect("an answer");
            }
        }
        let url = self.services.elasticsearch.trim_end_matches('/');
        let indices =
            list(format!("{url}/_cat/indices/{}*?format=json&expand_wildcards=all", self.name)).await;
        for name in names(indices, "index") {
            http.delete(format!("{url}/{name}")).send().await.expect("an answer");
        }
    }
}

/// The program under test.
pub fn program() -> PathBuf {
    std::env::var_os("PAYSTORM_BIN").map_or_else(|| env!("CARGO_BIN_EXE_paystorm").into(), PathBuf::from)
}

impl Stack {
    /// Overrides a setting by the environment for everything started from now on: `simulator.latency_median_ms`.
    pub fn set(&self, setting: &str, value: impl ToString) {
        let name = format!("PAYSTORM__{}", setting.replace('.', "__").to_uppercase());
        self.env.borrow_mut().push((name, value.to_string()));
    }

    /// A file of this stack that no other has the name of.
    pub fn file(&self, what: &str) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.dir.path().join(format!("{:03}-{what}", self.files.get()))
    }

    /// The program with these arguments on this stack's data.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    fn command_under(&self, under: &[&str], arguments: &[&str]) -> Command {
        let mut line: Vec<OsString> = under.iter().map(OsString::from).collect();
        line.push(program().into());
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).args(arguments).arg("--data-dir").arg(self.dir.path().join("data"));
        if self.real.is_some() {
            command.arg("--config").arg(self.dir.path().join("paystorm.toml"));
        }
        command.env("PAYSTORM__DEMO__ENABLED", "false");
        // Nobody is refused because the machine is busy; tests of stores that freeze set what users have.
        command.env("PAYSTORM__ENGINE__ANSWER_WITHIN_MS", "60000");
        command.env("PAYSTORM__STORE__ANSWER_WITHIN_MS", "30000");
        command.envs(self.env.borrow().iter().map(|(name, value)| (name, value)));
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Starts a server on a free port.
    pub async fn serve(&self) -> Server {
        self.serve_on(&[], 0).await
    }

    /// Starts a server on this port.
    pub async fn serve_at(&self, port: u16) -> Server {
        self.serve_on(&[], port).await
    }

    /// Starts a server under another program, such as `strace`.
    pub async fn serve_under(&self, under: &[&str]) -> Server {
        self.serve_on(under, 0).await
    }

    async fn serve_on(&self, under: &[&str], port: u16) -> Server {
        let log = self.file("serve.log");
        let out = self.file("serve.out");
        let bind = format!("127.0.0.1:{port}");
        let mut command = self.command_under(under, &["serve", "--bind", &bind]);
        command.stdout(File::create(&out).expect("a file")).stderr(File::create(&log).expect("a file"));
        let mut process = Process::start(command, "serve");
        let began = Instant::now();
        loop {
            let printed = std::fs::read_to_string(&out).unwrap_or_default();
            if let Some(url) = printed.lines().find_map(|line| line.strip_prefix("Paystorm is at ")) {
                return Server { process, url: url.trim().to_owned(), out, log };
            }
            if let Some(status) = process.ended() {
                panic!("serve ended with {status}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            assert!(began.elapsed() < GUARD, "serve printed no address within {GUARD:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Runs a command to its end; returns its status and what it printed.
    pub async fn run(&self, arguments: &[&str], input: &str) -> (ExitStatus, String) {
        let (out, log) = (self.file("run.out"), self.file("run.log"));
        let mut command = self.command(arguments);
        command.stdout(File::create(&out).expect("a file")).stderr(File::create(&log).expect("a file"));
        command.stdin(Stdio::piped());
        let mut process = Process::start(command, arguments[0]);
        let mut stdin = process.child.stdin.take().expect("a pipe");
        // A command that reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let status = process.wait(GUARD).await;
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        (status, text(out) + &text(log))
    }

    /// Makes a user and returns an API key of theirs.
    pub async fn api_key(&self) -> String {
        let (status, text) =
            self.run(&["user", "add", "shop@example.org"], "a password of some length\n").await;
        assert!(status.success(), "user add: {text}");
        let (status, text) = self.run(&["user", "api-key", "shop@example.org"], "").await;
        assert!(status.success(), "user api-key: {text}");
        text.lines().next().expect("a key").to_owned()
    }

    /// Runs `verify`, which must pass; returns its last line.
    pub async fn verify(&self, acks: &[&Path], at_rest: bool) -> String {
        let together = self.file("acks.all");
        let mut arguments = vec!["verify"];
        if !acks.is_empty() {
            let all: String = acks.iter().map(|path| std::fs::read_to_string(path).expect("acks")).collect();
            std::fs::write(&together, all).expect("acks are written");
            arguments.extend(["--acks", together.to_str().expect("a plain path")]);
        }
        arguments.extend(at_rest.then_some("--at-rest"));
        let (status, text) = self.run(&arguments, "").await;
        assert!(status.success(), "verify: {text}");
        text.lines().find(|line| line.starts_with("verified")).expect("a summary").to_owned()
    }

    /// The database of a real stack.
    pub fn database_url(&self) -> String {
        let real = self.real.as_ref().expect("a real stack");
        format!("{}/{}", real.services.mysql.trim_end_matches('/'), real.name)
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The store, opened by the test itself.
    pub async fn store(&self) -> Arc<dyn Store> {
        match &self.real {
            None => {
                let opened =
                    SqliteStore::open(&self.dir.path().join("data"), &StoreSettings::default()).await;
                Arc::new(opened.expect("SQLite opens"))
            }
            Some(_) => {
                let url = self.database_url().into();
                let settings = StoreSettings { kind: StoreKind::Mysql, url, ..StoreSettings::default() };
                Arc::new(MySqlStore::open(&settings).await.expect("MySQL opens"))
            }
        }
    }

    /// An address below that of the payments' documents in Elasticsearch.
    fn elasticsearch_url(&self, path: &str) -> String {
        let real = self.real.as_ref().expect("a real stack");
        format!("{}/{}*/{path}", real.services.elasticsearch, real.name)
    }

    /// Which generation of the embedded index serves.
    pub fn index_generation(&self) -> Option<String> {
        std::fs::read_to_string(self.dir.path().join("data/search/CURRENT")).ok()
    }

    /// Messages in the work queues, as RabbitMQ itself counts them: waiting or handed out.
    pub async fn messages(&self) -> u64 {
        let real = self.real.as_ref().expect("a real stack");
        let url = format!("{}/api/queues/%2F", real.services.amqp_admin.trim_end_matches('/'));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let all: Value = http.get(url).send().await.expect("an answer").json().await.expect("JSON");
        let names = [format!("{}.interactive", real.name), format!("{}.bulk", real.name)];
        let queues = all.as_array().into_iter().flatten();
        let ours = queues.filter(|queue| names.iter().any(|name| queue["name"] == *name));
        ours.filter_map(|queue| queue["messages"].as_u64()).sum()
    }

    /// What MySQL's own client answers to a query that asks for one number.
    pub fn mysql_number(&self, query: &str) -> u64 {
        let real = self.real.as_ref().expect("a real stack");
        let mut client = self.mysql_client("mysql", real);
        let output = client.args(["-N", "-e", query, &real.name]).output().expect("mysql runs");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Everything that was kept so far, by where it is: the files of the stack, logs included, and on real services the
    /// tables and the documents.
    pub async fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let mut folders = vec![self.dir.path().to_owned()];
        let mut contents = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        contents.push((path.display().to_string(), std::fs::read(&path).expect("a file")))
                    }
                }
            }
        }
        if let Some(real) = &self.real {
            let dump =
                self.mysql_client("mysqldump", real).arg("--skip-extended-insert").arg(&real.name).output();
            let dump = dump.expect("mysqldump runs");
            assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
            contents.push(("MySQL".to_owned(), dump.stdout));
            let documents =
                reqwest::get(self.elasticsearch_url("_search?size=10000")).await.expect("an answer");
            contents.push(("Elasticsearch".to_owned(), documents.bytes().await.expect("JSON").to_vec()));
        }
        contents
    }

    /// One of MySQL's own clients, with what it needs to sign in.
    fn mysql_client(&self, program: &str, real: &Real) -> Command {
        let url = url::Url::parse(&real.services.mysql).expect("a URL");
        let mut client = Command::new(program);
        client.args(["-h", url.host_str().expect("a host"), "-u", url.username()]);
        client.args(["-P", &url.port().unwrap_or(3_306).to_string()]);
        client.env("MYSQL_PWD", url.password().unwrap_or_default());
        client
    }

    /// Documents that Elasticsearch itself counts.
    pub async fn documents(&self) -> u64 {
        let response = reqwest::get(self.elasticsearch_url("_count")).await.expect("an answer");
        let count: Value = response.json().await.expect("JSON");
        count["count"].as_u64().unwrap_or(0)
    }

    /// Payments accepted and not yet at rest, counted in the store.
    pub async fn unfinished(&self) -> usize {
        let mut open = 0;
        self.each_payment(|payment| open += usize::from(!payment.state().status.is_at_rest())).await;
        open
    }

    /// Goes through all payments in the store, by id. No server may be running.
    pub async fn each_payment(&self, mut visit: impl FnMut(&Payment)) {
        let (store, mut after) = (self.store().await, None);
        loop {
            let page = store.payment_scan(after, 1_000).await.expect("payments");
            let Some(last) = page.last() else { return };
            after = Some(last.id());
            page.iter().for_each(&mut visit);
        }
    }

    /// Sends payments with `paystorm load` from outside, without accounts of its own. Further arguments come last.
    pub fn load(&self, target: &str, key: &str, rate: u32, seconds: u32, further: &[&str]) -> Load {
        let (rate, seconds) = (rate.to_string(), format!("{seconds}s"));
        let mut arguments = vec!["--rate", &rate, "--for", &seconds, "--wallets", "0"];
        for (flag, value) in [("--drain", "90s"), ("--mix", "charge=90,refund=10")] {
            if !further.contains(&flag) {
                arguments.extend([flag, value]);
            }
        }
        arguments.extend(further);
        self.load_with(target, key, &arguments)
    }

    /// The same with these arguments.
    pub fn load_with(&self, target: &str, key: &str, arguments: &[&str]) -> Load {
        let (acks, json, log) = (self.file("acks"), self.file("load.json"), self.file("load.log"));
        let mut command = Command::new(program());
        command.args(["load", "--target", target, "--key", key, "--no-progress"]);
        command.arg("--acks").arg(&acks).arg("--json").arg(&json);
        command.args(arguments).stdin(Stdio::null());
        let file = File::create(&log).expect("a file");
        command.stdout(file.try_clone().expect("a file")).stderr(file);
        Load { process: Process::start(command, "load"), acks, json, log }
    }

    fn show_logs(&self) {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.dir.path())
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
            .unwrap_or_default();
        files.sort();
        for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "log")) {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            println!("--- the end of {}", path.display());
            lines.iter().skip(lines.len().saturating_sub(40)).for_each(|line| println!("{line}"));
        }
    }
}

/// A process that does not outlive its test.
struct Process {
    child: Child,
    name: String,
}

impl Process {
    fn start(mut command: Command, name: &str) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { child, name: name.to_owned() }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    async fn wait(&mut self, guard: Duration) -> ExitStatus {
        let began = Instant::now();
        // What soaks start runs for up to an hour.
        let guard = if std::env::var_os("PAYSTORM_SOAK").is_some() { guard * 30 } else { guard };
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < guard, "{} did not end within {guard:?}", self.name);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running server.
pub struct Server {
    process: Process,
    /// `http://ADDRESS:PORT`.
    pub url: String,
    /// Where what it printed is.
    out: PathBuf,
    /// Where its log is.
    log: PathBuf,
}

impl Server {
    /// What it printed so far.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What it logged so far.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Kills it as a power cut would (kill -9): it gets to do nothing more.
    pub fn kill(&mut self) {
        self.process.child.kill().expect("killed");
        self.process.child.wait().expect("gone");
    }

    /// Asks it to stop (SIGTERM) and waits; returns how long that took. It must end well.
    pub async fn stop(self) -> Duration {
        let began = Instant::now();
        self.terminate();
        self.stopped(began).await
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-s", "TERM", &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end, which must be a good one; returns how long it took.
    pub async fn stopped(mut self, began: Instant) -> Duration {
        let status = self.process.wait(GUARD).await;
        assert!(status.success(), "serve ended with {status}");
        began.elapsed()
    }

    /// Fetches a page: status and text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let client =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client");
        let response = client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("text"))
    }

    /// A counter of `/metrics`.
    pub async fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no metric {name} in {text}"))
    }
}

/// `paystorm load` at work.
pub struct Load {
    process: Process,
    /// The ids that were acknowledged, one a line.
    pub acks: PathBuf,
    json: PathBuf,
    log: PathBuf,
}

impl Load {
    /// How many payments were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        let text = std::fs::read_to_string(&self.acks).unwrap_or_default();
        // One more line has the outcome, and refunds have lines too.
        let first = |line: &&str| !line.contains(" refund ") && line.split(' ').count() <= 4;
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter(first).count()
    }

    /// Waits until so many were.
    pub async fn wait_acknowledged(&mut self, count: usize) {
        let began = Instant::now();
        while self.acknowledged() < count {
            let ended = self.process.ended();
            assert!(ended.is_none(), "load ended ({ended:?}): {}", self.said());
            assert!(began.elapsed() < GUARD, "only {} of {count} were acknowledged", self.acknowledged());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.process.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end, whatever it is; returns its exit code, what it said, and where the acknowledgements are.
    pub async fn ended(mut self) -> (Option<i32>, String, PathBuf) {
        let status = self.process.wait(Duration::from_secs(300)).await;
        (status.code(), self.said(), self.acks.clone())
    }

    /// Waits for its end, which must be a good one; returns its report.
    pub async fn finish(mut self) -> (Value, PathBuf) {
        let status = self.process.wait(Duration::from_secs(300)).await;
        assert!(status.success(), "load: {}", self.said());
        let report = std::fs::read_to_string(&self.json).expect("a report");
        (serde_json::from_str(&report).expect("the report is JSON"), self.acks.clone())
    }

    /// The same, and nothing in it was refused, forgotten or left unfinished.
    pub async fn finish_clean(self) -> (Value, PathBuf) {
        let (report, acks) = self.finish().await;
        for name in ["errors", "unknown", "unsettled", "skipped"] {
            assert_eq!(report[name], 0, "{name} in {report:#}");
        }
        assert_eq!(report["accepted"], report["sent"], "{report:#}");
        (report, acks)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The number that stands before this word in a summary of `verify`.
pub fn counted(summary: &str, word: &str) -> u64 {
    let parts = summary.split([',', ':']).map(str::trim);
    let number = parts.filter_map(|part| part.split_once(' ')).find(|(_, rest)| rest.starts_with(word));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_else(|| panic!("no {word} in {summary}"))
}

/// A port below those that the system gives to connections, so that a server can have it again after a crash.
pub fn lasting_port(draw: &mut Draw) -> u16 {
    loop {
        let port = u16::try_from(20_000 + draw.below(12_000)).expect("a port");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Random numbers from a seed that is printed, so that a failure can be repeated.
pub struct Draw(u64);

impl Draw {
    /// From `PAYSTORM_TEST_SEED`, else from the clock.
    pub fn new(test: &str) -> Self {
        let clock = || std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.subsec_nanos().into());
        let seed =
            std::env::var("PAYSTORM_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(clock);
        println!("{test}: PAYSTORM_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below this one (SplitMix64).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Waits until something holds, a guard long at most.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) -> Duration {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < GUARD, "not within {GUARD:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}
