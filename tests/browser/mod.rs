//! Drives a headless Chromium over its debugging pipe: no driver program, no open port.
//!
//! Chromium reads commands from descriptor 3 and writes answers to descriptor 4, JSON texts ended by
//! a zero byte. Named pipes opened by a shell put them there.

// Each test file uses its part of it.
#![allow(dead_code)]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser {
    child: Child,
    commands: File,
    messages: Receiver<Value>,
    next: u64,
    session: Option<String>,
    /// Events since the start, in order.
    pub events: Vec<Value>,
    // The profile and the pipes live here.
    _dir: tempfile::TempDir,
}

/// The browser's program, or why the test is skipped.
pub fn program() -> Result<&'static str, String> {
    [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists())
    .ok_or_else(|| "no Chromium on this machine".into())
}

impl Browser {
    /// Starts `program` with an empty page of this size.
    pub fn start(program: &str, width: u32, height: u32) -> Browser {
        let dir = tempfile::tempdir().unwrap();
        let pipe = |name: &str| dir.path().join(name);
        let made = Command::new("mkfifo")
            .arg(pipe("in"))
            .arg(pipe("out"))
            .status()
            .unwrap();
        assert!(made.success());
        // Read and write: opening one end of a pipe alone would wait for the other.
        let open = |name: &str| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(pipe(name))
                .unwrap()
        };
        let (commands, answers) = (open("in"), open("out"));
        let child = Command::new("sh")
            .arg("-c")
            .arg("exec \"$0\" \"$@\" 3<in 4>out")
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--remote-debugging-pipe",
                "--user-data-dir=profile",
            ])
            .arg(format!("--window-size={width},{height}"))
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (send, messages) = channel();
        std::thread::spawn(move || {
            let mut answers = BufReader::new(answers);
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else {
                    return;
                };
                if send.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Browser {
            child,
            commands,
            messages,
            next: 0,
            session: None,
            events: Vec::new(),
            _dir: dir,
        };
        browser.open_page(width, height);
        browser
    }

    fn open_page(&mut self, width: u32, height: u32) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = self.call(
            "Target.attachToTarget",
            json!({"targetId": target["targetId"], "flatten": true}),
        );
        self.session = Some(attached["sessionId"].as_str().unwrap().into());
        for domain in ["Page", "Runtime", "Network", "Log"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        // Times of this page's own thread, whatever else the machine does.
        self.call("Performance.enable", json!({"timeDomain": "threadTicks"}));
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    /// Sends one command and waits for its result.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut command = json!({"id": self.next, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut text = command.to_string().into_bytes();
        text.push(0);
        self.commands.write_all(&text).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|_| panic!("no answer to {method}"));
            if message["id"] == json!(self.next) {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    /// The value of a JavaScript expression; a promise is waited for.
    pub fn eval(&mut self, expression: &str) -> Value {
        let result = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true}),
        );
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// Waits until a JavaScript expression is true.
    pub fn until(&mut self, condition: &str) {
        // The page looks itself, once a frame.
        self.eval(&format!(
            "new Promise((done, fail) => {{ const end = performance.now() + 30000; \
             const look = () => {{ if ({condition}) done(true); \
             else if (performance.now() > end) fail(new Error('never: ' + {condition:?})); \
             else requestAnimationFrame(look); }}; look(); }})"
        ));
    }

    /// Moves the mouse, in CSS pixels of the window.
    pub fn hover(&mut self, x: f64, y: f64) {
        self.call(
            "Input.dispatchMouseEvent",
            json!({"type": "mouseMoved", "x": x, "y": y}),
        );
    }

    /// Presses and releases a key on whatever has the focus.
    pub fn key(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind, "key": key, "code": key,
                "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code,
            });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Chooses the colour scheme that the page is told of.
    pub fn scheme(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Writes what is on the screen to a PNG file.
    pub fn screenshot(&mut self, path: &Path) {
        use base64::Engine as _;
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let data = shot["data"].as_str().unwrap();
        let png = base64::engine::general_purpose::STANDARD
            .decode(data)
            .unwrap();
        std::fs::write(path, png).unwrap();
    }

    /// The events of one kind so far.
    pub fn of_kind<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events
            .iter()
            .filter(move |e| e["method"] == method)
            .map(|e| &e["params"])
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked first, so that its own helpers end too; killed if it doesn't listen.
        let mut text = json!({"id": 0, "method": "Browser.close"})
            .to_string()
            .into_bytes();
        text.push(0);
        let _ = self.commands.write_all(&text);
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
