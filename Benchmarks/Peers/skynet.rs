// What Tokio needs for a tree of tasks, ten to each inner one, that adds up the numbers of its leaves.
//
//     skynet THREADS LEAVES
//
// Prints nanoseconds on the clock of the wall per leaf.

use std::{env, future::Future, pin::Pin, time::Instant};
use tokio::runtime::Builder;

fn sum(number: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return number;
        }
        let part = size / 10;
        let children: Vec<_> = (0..10)
            .map(|child| tokio::spawn(sum(number + child * part, part)))
            .collect();
        let mut total = 0;
        for child in children {
            total += child.await.unwrap();
        }
        total
    })
}

fn main() {
    let numbers: Vec<u64> = env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let (threads, leaves) = (numbers[0] as usize, numbers[1]);
    let runtime = match threads {
        1 => Builder::new_current_thread().build(),
        _ => Builder::new_multi_thread().worker_threads(threads).build(),
    }
    .unwrap();
    let start = Instant::now();
    // Within a task: what spawns from the root future does so as a stranger.
    let total = runtime.block_on(async { tokio::spawn(sum(0, leaves)).await.unwrap() });
    assert_eq!(total, leaves * (leaves - 1) / 2, "the sum is wrong");
    println!("{}", start.elapsed().as_nanos() as f64 / leaves as f64);
}
