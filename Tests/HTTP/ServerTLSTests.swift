import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

/// The server's side of TLS: handshakes, certificates and their files, and bytes that are not TLS at all.
@Suite("A server with TLS", .timeLimit(.minutes(15)), .inTurn)
struct ServerTLSTests {
  private static let wall = Environment.system.wallNow

  /// The certificate of a new authority, and what a client needs to trust it.
  private struct Served {
    let authority: TestAuthority
    let files: TestAuthority.Identity
    let certificate: ServerCertificate
    let trust: HTTPClientTLS

    init() async throws {
      authority = try await TestAuthority()
      files = try await authority.issue("server")
      certificate = try ServerCertificate(certificate: files.certificate, key: files.key, now: wall())
      trust = HTTPClientTLS(certificateAuthorities: authority.certificate)
    }

    func configuration(_ set: (inout HTTPServerConfiguration) -> Void = { _ in }) -> HTTPServerConfiguration {
      var configuration = HTTPServerConfiguration()
      configuration.certificate = certificate
      set(&configuration)
      return configuration
    }

    func request(
      _ port: Int, _ path: String = "/", method: String = "GET", headers: HTTPHeaders = [:], body: [UInt8] = [],
      trusting other: TestAuthority? = nil
    ) -> HTTPClientRequest {
      HTTPClientRequest(
        method: method, url: "https://127.0.0.1:\(port)\(path)", headers: headers, body: body, timeout: .seconds(60),
        tls: other.map { HTTPClientTLS(certificateAuthorities: $0.certificate) } ?? trust)
    }
  }

  // MARK: Requests

  @Test("Requests and answers of every size go over TLS, on a kept connection, and the handler knows it")
  func requests() async throws {
    let served = try await Served()
    try await withServer(served.configuration()) { request in
      .text("\(request.isEncrypted) \(request.numberOnConnection) " + String(repeating: "x", count: request.body.count))
    } body: { port in
      try await withClient { client in
        let answers = try await quickly {
          try await withClient { client in
            [try await client.send(served.request(port)).text, try await client.send(served.request(port)).text]
          }
        }
        #expect(answers == ["true 1 ", "true 2 "])
        let body = [UInt8](repeating: 1, count: 5_000_000)
        let answer = try await client.send(served.request(port, method: "POST", body: body))
        #expect(answer.status == 200 && answer.body.count > body.count)
      }
    }
  }

  @Test("A client that does not trust the authority sends nothing")
  func untrusted() async throws {
    let served = try await Served()
    let other = try await TestAuthority("other")
    let handled = Signal()
    try await withServer(served.configuration()) { _ in
      handled.set()
      return .text("")
    } body: { port in
      try await withClient { client in
        let error = await failure(of: client, served.request(port, trusting: other))
        #expect(error?.code == HTTPErrorCode.tls && error?.sent == false)
      }
    }
    #expect(!handled.isSet)
  }

  @Test(
    "TLS 1.2 and 1.3 are spoken, and nothing older",
    arguments: [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)])
  func versions(option: String, isSpoken: Bool) async throws {
    let served = try await Served()
    try await withServer(served.configuration()) { _ in
      .text("")
    } body: { port in
      let client = try await TestProcess.run(
        "openssl",
        [
          "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", served.authority.certificate, "-verify_return_error",
          // Without this OpenSSL itself has no TLS 1.1.
          "-cipher", "ALL:@SECLEVEL=0", option,
        ])
      let text = String(decoding: client.bytes, as: UTF8.self)
      #expect((client.status == 0) == isSpoken, "\(text)")
      if !isSpoken { #expect(text.contains("alert protocol version"), "\(text)") }
    }
  }

  @Test("A page that came without TLS is of another origin")
  func origins() async throws {
    let served = try await Served()
    try await withServer(served.configuration { $0.hosts = HostPolicy(bound: "127.0.0.1", allowed: ["saga.lab"]) }) {
      _ in
      .text("")
    } body: { port in
      try await withClient { client in
        let cases = [
          ("127.0.0.1:\(port)", "https://127.0.0.1:\(port)", 200),
          ("127.0.0.1:\(port)", "http://127.0.0.1:\(port)", 403),
          ("saga.lab", "https://saga.lab", 200), ("saga.lab", "http://saga.lab", 403),
          ("saga.lab", "https://saga.lab:\(port)", 403),
        ]
        for (host, origin, status) in cases {
          let answer = try await client.send(
            served.request(port, method: "POST", headers: ["Host": host, "Origin": origin]))
          #expect(answer.status == status, "\(origin) at \(host)")
        }
      }
    }
  }

  @Test(
    "Answers demand that browsers stay with TLS where the host's usual port is the server's",
    arguments: [("saga.lab", true), ("saga.lab:8443", false), ("127.0.0.1", false), ("localhost", false)])
  func strictTransport(host: String, isDemanded: Bool) async throws {
    let served = try await Served()
    try await withServer(served.configuration { $0.hosts = HostPolicy(bound: "127.0.0.1", allowed: ["saga.lab"]) }) {
      _ in
      .text("")
    } body: { port in
      try await withClient { client in
        let answer = try await client.send(served.request(port, headers: ["Host": host]))
        #expect(answer.status == 200)
        #expect(answer.headers.contains("Strict-Transport-Security") == isDemanded)
      }
    }
  }

  // MARK: Without TLS

  @Test("A request without TLS is answered without TLS that this port wants it")
  func plainText() async throws {
    let served = try await Served()
    try await withServer(served.configuration()) { _ in
      .text("")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      let answer = await connection.readAll()
      #expect(answer.hasPrefix("HTTP/1.1 400 ") && problemCode(in: answer) == HTTPErrorCode.tlsNeeded)
    }
  }

  @Test("A client with TLS at a port without it fails at once")
  func noTLS() async throws {
    let served = try await Served()
    try await withServer { _ in
      .text("")
    } body: { port in
      try await withClient { client in
        let error = await failure(of: client, served.request(port))
        #expect(error?.code == HTTPErrorCode.tls && error?.sent == false)
      }
    }
  }

  @Test(
    "Bytes that are neither HTTP nor TLS end the connection",
    arguments: [
      [0, 1, 2, 3, 4, 5, 6, 7], [0x16, 3, 1, 0xFF, 0xFF, 1, 1, 1, 1], [0x80, 0x2E, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10],
      [0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0x7F],
    ] as [[UInt8]])
  func garbage(bytes: [UInt8]) async throws {
    let served = try await Served()
    try await withServer(served.configuration()) { _ in
      .text("")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send(bytes)
      connection.sendEnd()
      #expect(await !connection.readAll().contains("HTTP/1.1"))
      try await withClient { client in
        let answer = try await client.send(served.request(port))
        #expect(answer.status == 200)
      }
    }
  }

  @Test("Clients that stall within the handshake keep no one waiting, and drops of it gain them no time")
  func stalled() async throws {
    let served = try await Served()
    let clock = FakeClock()
    try await withServer(
      served.configuration { $0.requestTimeout = .seconds(8) }, environment: .fake(clock: clock)
    ) { _ in
      .text("")
    } body: { port in
      let stalled = try (0..<50).map { _ in try RawConnection(port: port) }
      for connection in stalled { connection.send([0x16, 3, 1, 2, 0, 1, 0]) }
      try await withClient { client in
        let answer = try await client.send(served.request(port))
        #expect(answer.status == 200)
      }
      let dripping = try RawConnection(port: port)
      dripping.send([0x16, 3, 1, 2, 0])
      try await eventually("the stalled connections are closed", within: .seconds(90), every: .milliseconds(5)) {
        dripping.send([1])
        clock.advance(by: .seconds(1))
        return dripping.isClosed && stalled.allSatisfy(\.isClosed)
      }
    }
  }

  @Test("A connection over the limit of its address is closed before its handshake")
  func addressLimit() async throws {
    let served = try await Served()
    try await withServer(served.configuration { $0.maxConnectionsPerAddress = 1 }) { _ in
      .text("")
    } body: { port in
      let first = try RawConnection(port: port)
      first.send([0x16])
      try await withClient { client in
        let error = await failure(of: client, served.request(port))
        #expect(error != nil && error?.sent == false)
        first.sendEnd()
        #expect(await first.readAll() == "")
        let answer = try await client.send(served.request(port))
        #expect(answer.status == 200)
      }
    }
  }

  @Test("A shutdown does not wait for a handshake")
  func shutdown() async throws {
    let served = try await Served()
    let server = HTTPServer(served.configuration(), environment: .system) { _ in .text("") }
    let connection = try RawConnection(port: try server.start())
    connection.send([0x16, 3, 1, 2, 0, 1, 0])
    await server.shutdown(drain: .seconds(600))
    #expect(await connection.readAll() == "")
  }

  // MARK: The files

  @Test("After a reload new connections get the new certificate, and a stream that is open goes on")
  func reload() async throws {
    let served = try await Served()
    let other = try await TestAuthority("other")
    let (stream, source) = AsyncStream.makeStream(of: [UInt8].self)
    let isStreaming = Signal()
    try await withServer(served.configuration()) { request in
      guard request.path == "/stream" else { return .text("") }
      isStreaming.set()
      return HTTPServerResponse(body: .stream(stream))
    } body: { port in
      try await withClient { client in
        source.yield(Array("before ".utf8))
        async let streamed = client.send(served.request(port, "/stream"))
        await isStreaming.wait()

        let renewed = try await other.issue("renewed")
        for (from, to) in [(renewed.certificate, served.files.certificate), (renewed.key, served.files.key)] {
          try Data(contentsOf: URL(fileURLWithPath: from)).write(to: URL(fileURLWithPath: to))
        }
        #expect(try await client.send(served.request(port)).status == 200)
        try served.certificate.reload(now: Self.wall())
        #expect(try await client.send(served.request(port, trusting: other)).status == 200)
        try await withClient { fresh in
          #expect(await failure(of: fresh, served.request(port))?.code == HTTPErrorCode.tls)
        }

        source.yield(Array("after".utf8))
        source.finish()
        #expect(try await streamed.text == "before after")
      }
    }
  }

  @Test("When the files can't be used, a reload keeps the certificate and says why until one succeeds")
  func brokenReload() async throws {
    let served = try await Served()
    let good = try Data(contentsOf: URL(fileURLWithPath: served.files.certificate))
    try await withServer(served.configuration()) { _ in
      .text("")
    } body: { port in
      #expect(served.certificate.notices(at: Self.wall()) == [])
      try Data("-----BEGIN".utf8).write(to: URL(fileURLWithPath: served.files.certificate))
      let error = #expect(throws: HTTPServerError.self) { try served.certificate.reload(now: Self.wall()) }
      #expect(error?.code == HTTPErrorCode.certificateUnusable)
      try await withClient { client in
        let answer = try await client.send(served.request(port))
        #expect(answer.status == 200)
      }
      let notices = served.certificate.notices(at: Self.wall())
      #expect(notices.map(\.code) == [HTTPErrorCode.certificateUnusable])
      #expect(notices.first?.message.contains(served.files.certificate) == true)
      try good.write(to: URL(fileURLWithPath: served.files.certificate))
      try served.certificate.reload(now: Self.wall())
      #expect(served.certificate.notices(at: Self.wall()) == [])
    }
  }

  @Test("The end of a certificate is a notice in the last third of its life, or the last 14 days")
  func ending() async throws {
    let authority = try await TestAuthority()
    func notices(days: Int, before end: Duration) async throws -> [String] {
      let files = try await authority.issue("d\(days)", days: days)
      let certificate = try ServerCertificate(certificate: files.certificate, key: files.key, now: Self.wall())
      return certificate.notices(at: certificate.expiresAt + (.zero - end)).map(\.code)
    }
    let ending = [HTTPErrorCode.certificateEnding]
    let day = Duration.seconds(86_400)
    #expect(try await notices(days: 90, before: day * 15) == [])
    #expect(try await notices(days: 90, before: day * 13) == ending)
    #expect(try await notices(days: 6, before: day * 3) == [])
    #expect(try await notices(days: 6, before: day) == ending)
    #expect(try await notices(days: 6, before: .zero) == ending)
  }

  private enum Fault: String, CaseIterable {
    case missing, folder, notPEM, noCertificate, brokenIssuer, otherKey, noKey, lockedKey, readableKey, weak, expired
    case notYet
  }

  @Test("Files that clients or operators could not use are refused, with the reason", arguments: Fault.allCases)
  private func refused(fault: Fault) async throws {
    let authority = try await TestAuthority()
    let made = try await authority.issue("server")
    var files = (certificate: made.certificate, key: made.key)
    var now = Self.wall()
    func write(_ text: String, _ name: String) throws -> String {
      let file = authority.folder.appendingPathComponent(name)
      try Data(text.utf8).write(to: file)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
      return file.path
    }
    func openssl(_ words: String...) async throws {
      #expect(try await TestProcess.run("openssl", words, in: authority.folder).status == 0)
    }
    func with(certificate: String? = nil, key: String? = nil) -> (certificate: String, key: String) {
      (certificate ?? made.certificate, key ?? made.key)
    }
    let why: String
    switch fault {
    case .missing: (files, why) = (with(certificate: "/none.pem"), "/none.pem can't be read: No such file")
    case .folder: (files, why) = (with(certificate: authority.folder.path), "is not a file")
    case .notPEM: (files, why) = (with(certificate: try write("hello", "a.pem")), "has no certificate")
    case .noCertificate: (files, why) = (with(certificate: files.key), "has no certificate")
    case .brokenIssuer:
      let good = try String(contentsOfFile: files.certificate, encoding: .utf8)
      let broken = try write(good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "chain.pem")
      (files, why) = (with(certificate: broken), "certificate 2 in")
    case .otherKey: (files, why) = (with(key: try await authority.issue("other").key), "does not belong to")
    case .noKey: (files, why) = (with(key: try write("hello", "a.key")), "has no private key")
    case .lockedKey:
      try await openssl("pkey", "-in", files.key, "-aes256", "-passout", "pass:secret", "-out", "locked.key")
      let locked = authority.folder.appendingPathComponent("locked.key").path
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: locked)
      (files, why) = (with(key: locked), "without a passphrase")
    case .readableKey:
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: files.key)
      why = "chmod 600"
    case .weak:
      try await openssl(
        "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak", "-keyout", "weak.key", "-out", "weak.pem")
      let weak = authority.folder.appendingPathComponent("weak.key").path
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: weak)
      files = with(certificate: authority.folder.appendingPathComponent("weak.pem").path, key: weak)
      why = "key too small"
    case .expired: (now, why) = (now + .seconds(3 * 86_400), "expired at")
    case .notYet: (now, why) = (now + .seconds(-86_400), "is valid from")
    }
    let error = #expect(throws: HTTPServerError.self) {
      try ServerCertificate(certificate: files.certificate, key: files.key, now: now)
    }
    #expect(error?.code == HTTPErrorCode.certificateUnusable)
    #expect(error?.message.contains(why) == true, "\(error?.message ?? "")")
  }

  @Test("A key that the file's group may read is taken, as Debian keeps keys")
  func groupReads() async throws {
    let files = try await TestAuthority().issue("server")
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: files.key)
    let certificate = try ServerCertificate(certificate: files.certificate, key: files.key, now: Self.wall())
    #expect(certificate.expiresAt > Self.wall())
  }
}
