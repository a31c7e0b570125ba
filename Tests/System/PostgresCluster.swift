import Foundation
import Runtime
import TestSupport
import Values

/// A Postgres server of its own, and a standby of another.
final class PostgresCluster: Sendable {
  let port: Int
  private let folder: URL
  private let process: TestProcess

  struct Failed: Error, CustomStringConvertible { let description: String }

  /// Starts a server in a folder that has a cluster, and waits until it answers.
  private init(_ folder: URL) async throws {
    self.folder = folder
    port = try Self.freePort()
    let log = TestProcess.Output.file(URL(fileURLWithPath: folder.path + ".log"))
    let words = try Self.words(
      "postgres", "-D", folder.path, "-p", "\(port)", "-k", folder.deletingLastPathComponent().path, "-c",
      "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB")
    process = try TestProcess(words[0], Array(words.dropFirst()), in: Self.root, output: log, errors: log)
    try await eventually("Postgres answers: see \(folder.path).log") {
      if !process.isRunning { throw Failed(description: "Postgres ended: see \(folder.path).log") }
      return (try? await query("select 1")) != nil
    }
  }

  /// - Returns: a server that a standby can follow.
  static func primary(in parent: URL) async throws -> PostgresCluster {
    let folder = try prepare(parent, "primary")
    try await run("initdb", "-D", folder.path, "-U", "tracseq", "-E", "UTF8", "--locale=C", "-A", "trust", "-N")
    let settings = "local replication all trust\nhost replication all 127.0.0.1/32 trust\n"
    let access = folder.appendingPathComponent("pg_hba.conf")
    try Data((try String(contentsOf: access, encoding: .utf8) + settings).utf8).write(to: access)
    try own(folder)
    return try await PostgresCluster(folder)
  }

  /// - Parameter identity: the server's certificate and key.
  /// - Returns: a server that takes no connection over the network without TLS.
  static func overTLS(in parent: URL, _ identity: TestAuthority.Identity) async throws -> PostgresCluster {
    let folder = try prepare(parent, "secured")
    try await run("initdb", "-D", folder.path, "-U", "tracseq", "-E", "UTF8", "--locale=C", "-A", "trust", "-N")
    func write(_ text: String, _ name: String) throws {
      try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }
    for (path, name) in [(identity.certificate, "server.crt"), (identity.key, "server.key")] {
      let file = folder.appendingPathComponent(name)
      try FileManager.default.copyItem(atPath: path, toPath: file.path)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
    }
    try write("local all all trust\nhostssl all all 127.0.0.1/32 trust\n", "pg_hba.conf")
    try write("ssl = on\nssl_min_protocol_version = 'TLSv1.2'\n", "postgresql.auto.conf")
    try own(folder)
    return try await PostgresCluster(folder)
  }

  /// - Parameter proxy: a port that leads to this server; nil when the standby follows it directly.
  /// - Returns: a standby that follows this server.
  func standby(in parent: URL, through proxy: Int? = nil) async throws -> PostgresCluster {
    let folder = try Self.prepare(parent, "standby")
    try await Self.run(
      "pg_basebackup", "-h", "127.0.0.1", "-p", "\(proxy ?? port)", "-U", "tracseq", "-D", folder.path, "-R", "-X",
      "stream", "-c", "fast")
    return try await PostgresCluster(folder)
  }

  func url(port: Int? = nil) -> String { "postgresql://tracseq@127.0.0.1:\(port ?? self.port)/postgres" }

  /// Confirms a commit from now on only when a standby has it.
  func confirmWithStandby() async throws {
    try await query("alter system set synchronous_standby_names = '*'")
    try await query("select pg_reload_conf()")
    try await eventually("the standby confirms commits") {
      try await query("select count(*) from pg_stat_replication where sync_state = 'sync'").hasPrefix("1")
    }
  }

  /// Confirms a commit from now on although no standby has it.
  func confirmAlone() async throws {
    try await query("alter system reset synchronous_standby_names")
    try await query("select pg_reload_conf()")
  }

  func promote() async throws { try await Self.run("pg_ctl", "-D", folder.path, "-w", "-t", "60", "promote") }

  /// Stops the server at once, as a loss of power does.
  func stopAtOnce() async {
    process.send(SIGQUIT)
    await process.status()
  }

  /// Runs a statement.
  @discardableResult
  func query(_ text: String) async throws -> String {
    try await Self.run("psql", "-X", "-q", "-A", "-t", "-d", url(), "-c", text)
  }

  // MARK: Programs

  private static func prepare(_ parent: URL, _ name: String) throws -> URL {
    let folder = parent.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: parent.path)
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
    try own(folder)
    return folder
  }

  private static let isRoot = getuid() == 0

  /// The server refuses to run as root: then it runs as `postgres`, to whom its folder belongs.
  private static func own(_ folder: URL) throws {
    guard isRoot, let user = getpwnam("postgres") else { return }
    let (id, group) = (user.pointee.pw_uid, user.pointee.pw_gid)
    chown(folder.path, id, group)
    for case let name as String in FileManager.default.enumerator(atPath: folder.path) ?? .init() {
      chown(folder.appendingPathComponent(name).path, id, group)
    }
  }

  private static func program(_ name: String) throws -> String {
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
    let places =
      versions.sorted { $0.compare($1, options: .numeric) == .orderedDescending }
      .map { "/usr/lib/postgresql/\($0)/bin/\(name)" } + ["/usr/bin/\(name)", "/usr/local/bin/\(name)"]
    guard let place = places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      throw Failed(description: "no \(name): install postgresql")
    }
    return place
  }

  /// A port that no server listens on now.
  private static func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw Failed(description: "no socket") }
    defer { _ = close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
      }
    }
    guard status == 0 else { throw Failed(description: "no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  /// The working folder of the programs: `postgres` may not enter that of the tests.
  private static let root = URL(fileURLWithPath: "/")

  /// Returns the words that run a program of Postgres, as the user to whom the folder belongs.
  private static func words(_ name: String, _ arguments: String...) throws -> [String] {
    // libpq refuses TLS when it can't look for a certificate in the home folder, which is root's.
    let asServer =
      isRoot
      ? [
        "/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", "/usr/bin/env",
        "HOME=/nonexistent",
      ] : []
    return try asServer + [program(name)] + arguments
  }

  @discardableResult
  private static func run(_ name: String, _ arguments: String...) async throws -> String {
    let words = try words(name) + arguments
    let result = try await TestProcess.run(words[0], Array(words.dropFirst()), in: root)
    let text = String(decoding: result.bytes, as: UTF8.self)
    guard result.status == 0 else {
      throw Failed(description: "\(words.joined(separator: " ")): \(result.status) \(text)")
    }
    return text
  }
}
