//! Debian's nginx as a process.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::{Program, client, eventually, free_port};

/// A proxy in front of a server, until it is dropped.
pub struct Nginx {
    pub address: SocketAddr,
    _program: Program,
    _directory: TempDir,
}

impl Nginx {
    /// A proxy whose `location` blocks are these.
    pub async fn start(locations: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let root = directory.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {root}/{kind};\n"))
            .collect();
        let config = format!(
            "daemon off; master_process off; pid {root}/pid; error_log stderr;\n\
             events {{}}\n\
             http {{\n access_log off;\n {temporary}\
             map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}\n\
             large_client_header_buffers 4 128k;\n\
             server {{ listen {address};\n proxy_http_version 1.1;\n proxy_set_header Host $http_host;\n \
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n proxy_set_header X-Forwarded-Proto $scheme;\n \
             proxy_set_header Upgrade $http_upgrade;\n proxy_set_header Connection $connection_upgrade;\n{locations}\n}} }}\n"
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let args = ["-p", directory.path().to_str().unwrap(), "-e", "stderr", "-c", file.to_str().unwrap()];
        let mut program = Program::start("nginx", &args, &[]);
        eventually("an nginx that answers", async || {
            assert!(program.is_running(), "{}", program.stderr());
            client().get(format!("http://{address}/")).send().await.ok()
        })
        .await;
        Nginx { address, _program: program, _directory: directory }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
