//! The server that answers with packets made beforehand (`benches/canned`), and processor time beside it: what a point
//! read costs our server as a multiple of what it costs at the least.

use crate::report::median;
use crate::sysbench::{figures, sysbench};
use rustydb_testkit::client::Address;
use rustydb_testkit::{Error, Result, free_port};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server; it ends when this is dropped.
pub(crate) struct Canned {
    process: Child,
    address: Address,
}

impl Drop for Canned {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Canned {
    /// Starts the one that was built beside this program.
    pub(crate) fn start() -> Result<Canned> {
        let me = std::env::current_exe().map_err(Error::io("find my own place"))?;
        let program = me.with_file_name("rustydb-canned");
        let port = free_port()?;
        let mut command = Command::new(&program);
        command.arg(port.to_string()).stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().map_err(Error::io(format!("start {}", program.display())))?;
        for _ in 0..1_000 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                let address = Address { port, user: "root".into(), password: "x".into() };
                return Ok(Canned { process, address });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(Error::Broken(format!("{} does not answer", program.display())))
    }
}

/// Processor time of a server for each point read, in microseconds: ours and the canned one's, medians of rounds that
/// take turns.
pub(crate) fn point_read_cost(ours: (&Address, u32), words: &[String], rounds: usize) -> Result<(f64, f64)> {
    let canned = Canned::start()?;
    let mut found = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let mut order = [(0, ours.0, ours.1), (1, &canned.address, canned.process.id())];
        if round % 2 == 1 {
            order.reverse();
        }
        for (server, address, pid) in order {
            let before = processor_us(pid)?;
            let reads = figures(&sysbench(address, "oltp_point_select", words)?)?.transactions;
            let each = (processor_us(pid)? - before) / reads.max(1.0);
            let who = ["rustydb", "canned"][server];
            println!(
                "point read cost      round {} {who:<8} {each:>9.2} us of the server's processor time",
                round + 1
            );
            found[server].push(each);
        }
    }
    Ok((median(&found[0]), median(&found[1])))
}

/// Processor time that a process has taken, in user mode and in the system, in microseconds.
fn processor_us(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).map_err(Error::io(format!("read {path}")))?;
    // Behind the name, which is in parentheses and may hold anything.
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|word| word.parse::<f64>().ok());
    match (ticks(11), ticks(12)) {
        // Hundredths of a second on all that Linux runs on today.
        (Some(user), Some(system)) => Ok((user + system) * 10_000.0),
        _ => Err(Error::Broken(format!("{path} has no times: {text}"))),
    }
}
