import Foundation

/// A server with TLS and the certificates of a small authority, made by openssl for one test.
public final class TLSPeer: Sendable {
  /// Files in PEM.
  public let authority, otherAuthority, clientCertificate, clientKey: String
  public let port: Int
  private let process: TestProcess

  /// Starts a server at 127.0.0.1 that answers each GET with 200.
  /// - Parameter wantsCertificate: whether it refuses a client that shows no certificate of its authority.
  public init(wantsCertificate: Bool) async throws {
    let folder = try TestFolder.new("tls")
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    for name in ["authority", "other"] { try await Self.certificate(name, in: folder) }
    try await Self.certificate("server", by: "authority", in: folder)
    try await Self.certificate("client", by: "authority", in: folder)
    authority = path("authority.pem")
    otherAuthority = path("other.pem")
    clientCertificate = path("client.pem")
    clientKey = path("client.key")
    var words = ["s_server", "-accept", "127.0.0.1:0", "-cert", path("server.pem"), "-key", path("server.key"), "-www"]
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

  private static func certificate(_ name: String, by issuer: String? = nil, in folder: URL) async throws {
    var words = [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
      "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "\(name).key", "-out", "\(name).pem",
    ]
    if let issuer { words += ["-CA", "\(issuer).pem", "-CAkey", "\(issuer).key"] }
    let made = try await TestProcess.run("openssl", words, in: folder)
    guard made.status == 0 else {
      throw TestProcess.Failure(description: "openssl: \(String(decoding: made.bytes, as: UTF8.self))")
    }
  }
}
