//! tmp
use crate::support::{postgres::Cluster, redis::Redis};
#[tokio::test]
async fn tmp() {
    use sqlx::Connection;
    let t = std::time::Instant::now();
    let d = Cluster::shared().database();
    eprintln!("cluster {:?} {}", t.elapsed(), d.url());
    let c = d.copy();
    eprintln!("{:?} {}", t.elapsed(), c.sql("select 1, 'a'"));
    let mut k = sqlx::PgConnection::connect(&d.url()).await.unwrap();
    k.ping().await.unwrap();
    Cluster::shared().restart();
    eprintln!("{:?} {}", t.elapsed(), c.sql("select 1, 'a'"));
    let r = Redis::start();
    r.flush();
    r.freeze();
    r.thaw();
    r.flush();
    r.stop();
    r.restart();
    r.flush();
    eprintln!("{:?}", t.elapsed());
    std::mem::forget(r);
}
