import Foundation

/// A small certificate authority for one test, made by openssl in the test's folder.
public struct TestAuthority: Sendable {
  public struct Identity: Sendable, Hashable {
    /// Files in PEM. Only the user of the tests can read the key.
    public let certificate, key: String
  }

  public let folder: URL
  private let name: String
  /// The certificate of the authority itself.
  public var certificate: String { folder.appendingPathComponent("\(name).pem").path }

  /// - Parameters:
  ///   - name: the name of its files in the folder.
  ///   - folder: nil for a new one.
  public init(_ name: String = "authority", in folder: URL? = nil) async throws {
    self.name = name
    self.folder = try folder ?? TestFolder.new("tls")
    _ = try await Self.make(name, by: nil, days: 10, in: self.folder)
  }

  /// Makes a certificate for 127.0.0.1, `localhost` and `saga.lab`, and its key.
  /// - Parameters:
  ///   - name: the name of its files in the folder.
  ///   - days: how long it is valid, from now on.
  public func issue(_ name: String, days: Int = 2) async throws -> Identity {
    try await Self.make(name, by: self.name, days: days, in: folder)
  }

  private static func make(_ name: String, by issuer: String?, days: Int, in folder: URL) async throws -> Identity {
    var words = [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "\(days)",
      "-subj",
      "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:saga.lab", "-keyout", "\(name).key",
      "-out", "\(name).pem",
    ]
    if let issuer { words += ["-CA", "\(issuer).pem", "-CAkey", "\(issuer).key"] }
    let made = try await TestProcess.run("openssl", words, in: folder)
    guard made.status == 0 else {
      throw TestProcess.Failure(description: "openssl: \(String(decoding: made.bytes, as: UTF8.self))")
    }
    func path(_ ending: String) -> String { folder.appendingPathComponent(name + ending).path }
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path(".key"))
    return Identity(certificate: path(".pem"), key: path(".key"))
  }
}

/// A server with TLS and the certificates of a small authority, made by openssl for one test.
public final class TLSPeer: Sendable {
  /// Files in PEM.
  public let authority, otherAuthority, clientCertificate, clientKey: String
  public let port: Int
  private let process: TestProcess

  /// Starts a server at 127.0.0.1 that answers each GET with 200.
  /// - Parameter wantsCertificate: whether it refuses a client that shows no certificate of its authority.
  public init(wantsCertificate: Bool) async throws {
    let issuer = try await TestAuthority()
    let server = try await issuer.issue("server")
    let client = try await issuer.issue("client")
    authority = issuer.certificate
    otherAuthority = try await TestAuthority("other", in: issuer.folder).certificate
    (clientCertificate, clientKey) = (client.certificate, client.key)
    var words = ["s_server", "-accept", "127.0.0.1:0", "-cert", server.certificate, "-key", server.key, "-www"]
    // With TLS 1.2 the server refuses the client within the handshake.
    if wantsCertificate { words += ["-tls1_2", "-Verify", "1", "-verify_return_error", "-CAfile", authority] }
    process = try TestProcess("openssl", words, keepsInput: true)
    for await line in process.lines {
      if let match = line.firstMatch(of: #/ACCEPT 127\.0\.0\.1:([0-9]+)/#), let port = Int(match.output.1) {
        self.port = port
        return
      }
    }
    throw TestProcess.Failure(description: "openssl s_server did not say where it listens")
  }

  public func stop() async { await process.killNow() }
}
