import Foundation
import Runtime
import TestSupport
import Values

/// A Postgres server of its own, and a standby of another.
final class PostgresCluster: Sendable {
  let port: Int
  private let folder: URL

  struct Failed: Error, CustomStringConvertible { let description: String }

  private init(_ folder: URL, port: Int) {
    self.folder = folder
    self.port = port
  }

  /// - Returns: a server that a standby can follow.
  static func primary(in parent: URL) async throws -> PostgresCluster {
    let folder = try prepare(parent, "primary")
    try await run("initdb", "-D", folder.path, "-U", "tracseq", "-E", "UTF8", "--locale=C", "-A", "trust", "-N")
    let settings = "local replication all trust\nhost replication all 127.0.0.1/32 trust\n"
    let access = folder.appendingPathComponent("pg_hba.conf")
    try Data((try String(contentsOf: access, encoding: .utf8) + settings).utf8).write(to: access)
    try own(folder)
    let cluster = PostgresCluster(folder, port: try freePort())
    try await cluster.start()
    return cluster
  }

  /// - Returns: a standby that follows this server.
  func standby(in parent: URL) async throws -> PostgresCluster {
    let folder = try Self.prepare(parent, "standby")
    try await Self.run(
      "pg_basebackup", "-h", "127.0.0.1", "-p", "\(port)", "-U", "tracseq", "-D", folder.path, "-R", "-X", "stream",
      "-c", "fast")
    let cluster = PostgresCluster(folder, port: try Self.freePort())
    try await cluster.start()
    return cluster
  }

  func url(port: Int? = nil) -> String { "postgresql://tracseq@127.0.0.1:\(port ?? self.port)/postgres" }

  func start() async throws {
    try await Self.run(
      "pg_ctl", "-D", folder.path, "-w", "-t", "60", "-s", "-l", folder.path + ".log", "-o",
      "-p \(port) -k \(folder.deletingLastPathComponent().path) -c listen_addresses=127.0.0.1 -c shared_buffers=32MB",
      "start")
  }

  func promote() async throws { try await Self.run("pg_ctl", "-D", folder.path, "-w", "-t", "60", "promote") }

  /// Stops the server at once, as a loss of power does.
  func stopAtOnce() async throws {
    try await Self.run("pg_ctl", "-D", folder.path, "-m", "immediate", "-w", "-t", "30", "stop")
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

  /// Runs a command without the descriptors that it would inherit. Foundation notices the end of a process by one of them,
  /// which a server that the command starts would keep open.
  private static let closing = """
    (for file in /proc/$BASHPID/fd/*; do number=${file##*/}; [ "$number" -gt 2 ] && eval "exec $number>&-"; done
    exec "$@")
    """

  @discardableResult
  private static func run(_ name: String, _ arguments: String...) async throws -> String {
    let process = Process()
    let command = [try program(name)] + arguments
    let asServer = isRoot ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] : []
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", closing, "--"] + asServer + command
    process.currentDirectoryURL = URL(fileURLWithPath: "/tmp")
    // A file, as a server that was started keeps a pipe open.
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("pg-\(Environment.system.newID())")
    _ = FileManager.default.createFile(atPath: place.path, contents: nil)
    defer { try? FileManager.default.removeItem(at: place) }
    let output = try FileHandle(forWritingTo: place)
    process.standardOutput = output
    process.standardError = output
    let (ended, ending) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = { process in
      ending.yield(process.terminationStatus)
      ending.finish()
    }
    try process.run()
    var status: Int32 = -1
    for await one in ended { status = one }
    let said = (try? String(contentsOf: place, encoding: .utf8)) ?? ""
    guard status == 0 else { throw Failed(description: "\(command.joined(separator: " ")): \(status) \(said)") }
    return said
  }
}
