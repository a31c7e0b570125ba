import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

/// A web page that is open on this machine and tries to use the engine on the loopback.
@Suite("A hostile page, in a real browser", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct HostilePageTests {
  private static let evil = "evil.example"

  /// Sends everything that a page can send without a preflight, to every route that changes something.
  private static let attempts = """
    async function attack(base, paths) {
      const told = [];
      const note = (what, value) => told.push(what + ': ' + value);
      const seconds = (promise, time) => Promise.race([promise, new Promise(done => setTimeout(() => done('no answer'), time))]);
      const read = async (what, promise) => {
        try {
          const answer = await promise;
          if (answer === 'no answer') return;
          if (answer.type !== 'opaque') note(what, answer.status + ' ' + (await answer.text()).slice(0, 80));
        } catch (error) { /* refused by the browser */ }
      };
      const bodies = ['', '{}', JSON.stringify({ reason: 'evil', input: {} }), 'a=b'];
      for (const path of paths.read) {
        await read('GET ' + path, fetch(base + path));
        await read('no-cors ' + path, fetch(base + path, { mode: 'no-cors' }));
      }
      for (const path of paths.change) {
        await Promise.all(bodies.map(async body => {
          await read('POST ' + path, fetch(base + path, { method: 'POST', body }));
          await read('no-cors POST ' + path, fetch(base + path, { method: 'POST', mode: 'no-cors', body }));
          await read('typed POST ' + path,
            fetch(base + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }));
          navigator.sendBeacon(base + path, body);
          navigator.sendBeacon(base + path, new Blob([body], { type: 'application/json' }));
        }));
        await read('empty POST ' + path, fetch(base + path, { method: 'POST', mode: 'no-cors' }));
        await read('DELETE ' + path, fetch(base + path, { method: 'DELETE' }));
        await new Promise(done => {
          const request = new XMLHttpRequest();
          request.onload = () => { note('XHR ' + path, request.responseText.slice(0, 80)); done(); };
          request.onerror = () => done();
          request.open('POST', base + path);
          request.send('');
        });
        const forms = [];
        for (const enctype of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
          for (const fields of [[], [['{"reason": "evil", "input": {}, "x', '": 1}']]]) {
            const frame = document.createElement('iframe');
            frame.name = 'f' + Math.random();
            document.body.append(frame);
            const form = document.createElement('form');
            Object.assign(form, { method: 'POST', action: base + path, enctype, target: frame.name });
            for (const [name, value] of fields) {
              const input = document.createElement('input');
              Object.assign(input, { name, value });
              form.append(input);
            }
            document.body.append(form);
            const loaded = new Promise(done => { frame.onload = () => done('loaded'); });
            form.submit();
            forms.push(seconds(loaded, 1500).then(() => {
              try { if (frame.contentDocument.body.innerText.includes('saga')) note('frame', frame.contentDocument.body.innerText); }
              catch (error) { /* of another origin */ }
            }));
          }
        }
        await Promise.all(forms);
      }
      const nodes = [];
      for (const path of paths.read) {
        for (const tag of ['script', 'img', 'iframe', 'object', 'link', 'audio']) {
          const node = document.createElement(tag);
          if (tag === 'link') Object.assign(node, { rel: 'stylesheet', href: base + path });
          else if (tag === 'object') node.data = base + path; else node.src = base + path;
          const over = new Promise(done => { node.onload = () => done('load'); node.onerror = () => done('error'); });
          document.body.append(node);
          nodes.push(seconds(over, 1500).then(outcome => {
            if (outcome === 'load' && !['iframe', 'object'].includes(tag)) note(tag + ' ' + path, outcome);
            if (tag !== 'iframe') return;
            try { if (node.contentDocument && node.contentDocument.body.innerText.includes('saga')) note('iframe', 'read'); }
            catch (error) { /* of another origin */ }
          }));
        }
      }
      await Promise.all(nodes);
      const stream = new EventSource(base + '/v1/events');
      note('stream', await seconds(new Promise(done => {
        stream.onmessage = () => done('a message');
        stream.onopen = () => done('open');
        stream.onerror = () => done('');
      }), 3000));
      stream.close();
      return told.filter(line => line !== 'stream: ' && line !== 'stream: no answer');
    }
    """

  /// Serves the hostile page under a name of its own.
  private static func withHostileServer(_ body: (Int) async throws -> Void) async throws {
    let server = HTTPServer(
      HTTPServerConfiguration(hosts: HostPolicy(bound: "127.0.0.1", allowed: [evil])), environment: .system
    ) { _ in
      .bytes(
        Array("<!doctype html><title>free music</title><body>listen".utf8), type: "text/html",
        headers: [
          "Content-Security-Policy": "default-src * 'unsafe-inline' 'unsafe-eval'; frame-src *; connect-src *"
        ])
    }
    let port = try server.start()
    let result: Result<Void, any Error>
    do { result = .success(try await body(port)) } catch { result = .failure(error) }
    await server.shutdown(drain: .seconds(1))
    try result.get()
  }

  @Test("A page of another origin, or under a rebound name, reads nothing and changes nothing")
  func attacks() async throws {
    let browser = try Chromium(switches: [
      "--host-resolver-rules=MAP \(Self.evil) 127.0.0.1", "--disable-features=LocalNetworkAccessChecks",
    ])
    let site = try await Site(.sqlite)
    let lab = try await site.startLab()
    let engine = try await site.startEngine(lab: lab)
    let result: Result<Void, any Error>
    do { result = .success(try await attack(site, engine, lab, browser)) } catch { result = .failure(error) }
    await browser.quit()
    _ = await engine.stop()
    _ = await lab.stop()
    await site.close()
    try result.get()
  }

  private func attack(
    _ site: Site, _ engine: SagaProcess, _ lab: SagaProcess, _ browser: Chromium
  ) async throws {
    // 1. A saga that waits for a person.
    let workflow: JSON = [
      "name": "release", "version": 1, "timeout": "1h",
      "steps": [["id": "approve", "timeout": "30m", "signal": ["name": "approval"]]],
    ]
    _ = try await site.call("POST", "\(engine.url)/v1/workflows", body: workflow)
    let started = try await site.call("POST", "\(engine.url)/v1/workflows/release/sagas", body: ["input": [:]])
    let id = try #require(started.body["id"]?.stringValue)
    let before = try await standing(site, engine, lab, id)
    let port = try #require(engine.url.split(separator: ":").last.flatMap { Int($0) })
    let labPort = try #require(lab.url.split(separator: ":").last.flatMap { Int($0) })
    let change = [
      "/v1/sagas/\(id)/signals/approval", "/v1/sagas/\(id)/cancel", "/v1/sagas/\(id)/skip", "/v1/projections/rebuild",
      "/v1/workflows/release/sagas", "/v1/workflows", "/v1/operations",
    ]
    let paths: JSON = [
      "read": .array(["/v1/sagas", "/v1/sagas/\(id)", "/", "/metrics"].map { .string($0) }),
      "change": .array(change.map { .string($0) }),
    ]
    let labPaths: JSON = ["read": ["/lab/summary"], "change": ["/lab/faults", "/samples/commands/register"]]

    // 2. From another origin.
    try await Self.withHostileServer { hostile in
      for host in ["127.0.0.1", "localhost"] {
        let page = try await browser.newPage()
        try await page.open("http://\(Self.evil):\(hostile)/")
        try await page.waitForText("listen")
        try await page.run(Self.attempts + "; 0")
        #expect(try await page.run("attack('http://\(host):\(port)', \(paths.text()))") == [])
        #expect(try await page.run("attack('http://\(host):\(labPort)', \(labPaths.text()))") == [])
        // The same site and another origin: another program on this machine.
        try await page.open("http://localhost:\(hostile)/")
        try await page.waitForText("listen")
        try await page.run(Self.attempts + "; 0")
        #expect(try await page.run("attack('http://\(host):\(port)', \(paths.text()))") == [])
      }
    }
    #expect(try await standing(site, engine, lab, id) == before)

    // 3. Under a rebound name the browser sees one origin. The page can read the answers, and all are 421.
    for port in [port, labPort] {
      let page = try await browser.newPage()
      // The policy of the answer would stop its scripts. A page that loaded before the rebinding has no such policy.
      try await page.send("Page.setBypassCSP", ["enabled": true])
      try await page.open("http://\(Self.evil):\(port)/v1/sagas")
      try await page.waitForText("http.hostNotAllowed")
      for path in ["/v1/sagas", "/v1/sagas/\(id)", "/", "/lab/summary", "/openapi.json"] {
        let status = try await page.run("fetch('\(path)').then(answer => answer.status)")
        #expect(status == 421, "\(path)")
      }
      for path in change + ["/lab/faults"] {
        let status = try await page.run(
          """
          fetch('\(path)', { method: 'POST', headers: { 'Content-Type': 'application/json' },
            body: '{"reason": "evil", "input": {}}' }).then(answer => answer.status)
          """)
        #expect(status == 421, "\(path)")
      }
    }
    #expect(try await standing(site, engine, lab, id) == before)

    // 4. The engine's own page may send the same: the refusals above were for the origin.
    let page = try await browser.newPage()
    try await page.open("\(engine.url)/")
    try await page.waitForText("Live", in: "#live")
    let status = try await page.run(
      """
      fetch('/v1/sagas/\(id)/signals/approval', { method: 'POST', headers: { 'Content-Type': 'application/json' },
        body: '{"approved": true}' }).then(answer => answer.status)
      """)
    #expect(status == 200)
    #expect(try await standing(site, engine, lab, id) != before)
  }

  /// Returns everything that a page could have changed.
  private func standing(
    _ site: Site, _ engine: SagaProcess, _ lab: SagaProcess, _ id: String
  ) async throws -> [JSON] {
    let projections = try await site.call("GET", "\(engine.url)/v1/projections").body
    return [
      try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events?limit=1000").body,
      try await site.call("GET", "\(engine.url)/v1/workflows").body,
      try await site.call("GET", "\(engine.url)/v1/operations").body,
      try await site.call("GET", "\(engine.url)/v1/stats").body["sagas"] ?? .null,
      projections["generation"] ?? .null, projections["rebuild"] ?? .null,
      try await site.call("GET", "\(lab.url)/lab/summary").body,
      try await site.call("GET", "\(lab.url)/lab/faults").body,
    ]
  }
}
