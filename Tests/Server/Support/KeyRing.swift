import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Values

@testable import Server

/// A file of keys, and the authenticator that reads it.
final class KeyRing: Sendable {
  let path: String
  let environment: Environment
  private let keys = Mutex(KeyList())
  var list: KeyList { keys.withLock { $0 } }

  /// - Parameter environment: its clock decides when keys expire.
  init(_ environment: Environment) throws {
    path = try TestFolder.new("keys").appendingPathComponent("keys.json").path
    self.environment = environment
    try write()
  }

  /// Adds a key, and writes the file.
  /// - Returns: the key's id, and the text that its owner sends.
  @discardableResult
  func add(
    _ name: String, _ roles: String..., labRoles: [String] = [], speaksForOthers: Bool = false,
    lasts: Duration = .seconds(86_400)
  ) throws -> (id: String, text: String) {
    let made = AccessKey.new(
      name: name, roles: roles.compactMap { GrantedRole($0) }, labRoles: labRoles, speaksForOthers: speaksForOthers,
      expiresAt: environment.wallNow() + lasts, environment: environment)
    keys.withLock { $0.keys.append(made.key) }
    try write()
    return (made.key.id, made.text)
  }

  func revoke(_ id: String) throws {
    let now = environment.wallNow()
    keys.withLock { list in
      for index in list.keys.indices where list.keys[index].id == id { list.keys[index].revokedAt = now }
    }
    try write()
  }

  /// Replaces the file in one step, as `saga key` does.
  func write() throws { try write(list.bytes) }

  func write(_ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    // Whatever the machine's umask is.
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
  }

  func authenticator(log: Log = .silent) throws -> KeyFile { try KeyFile(path: path, log: log) }
}

extension TestAPI {
  /// Sends a request with a key.
  func get(_ target: String, key: String) async throws -> Answer {
    try await send("GET", target, headers: ["Authorization": "Bearer \(key)"])
  }

  func post(_ target: String, _ json: JSON, key: String, user: String? = nil) async throws -> Answer {
    var headers: [(String, String)] = [("Authorization", "Bearer \(key)")]
    if let user { headers.append(("Saga-User", user)) }
    return try await post(target, json, headers: .init(headers))
  }
}
