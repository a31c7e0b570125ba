import CSystem
import Foundation
import JSON
import Runtime
import Server
import Values
import Wire
import WorkflowEngine

let sealKeyCreateCommand = CommandSpec(
  "seal-key", "create", summary: "make a key that seals sensitive values",
  about: [
    "Adds a key to the file of `saga serve --seal-keys FILE` and makes it the current one. The first key makes the file, "
      + "which only you can read. At its next start the engine wraps the data keys of all sagas with the current key; its "
      + "log says so. Until then it needs the older keys, too.",
    "Keep a copy of the file apart from the backups of the store. Without it, no sensitive value can be read again.",
  ],
  options: [.sealKeys, .json],
  examples: [
    .init(says: "The first key", line: "saga seal-key create --seal-keys seal-keys.json"),
    .init(says: "Then", line: "saga serve --seal-keys seal-keys.json"),
  ]
) { invocation in
  let file = try SealKeyFile(invocation)
  var keys: SealKeys
  if file.exists {
    keys = try file.read()
    guard keys.keys.count < SealKeys.mostKeys else {
      throw CLIError(
        CLIErrorCode.accessKeyInvalid, "The file has \(SealKeys.mostKeys) keys, and takes no more",
        advice: ["Remove old ones with `saga seal-key remove`."])
    }
    keys.renew(invocation.environment)
    try file.replace(keys)
  } else {
    keys = SealKeys(invocation.environment)
    try NewFile.write(keys.bytes, to: file.path, mode: 0o600)
  }
  if invocation.json {
    invocation.terminal.line(SealKeyFile.shown(keys.current, in: keys).text(.pretty))
  } else {
    invocation.terminal.line("Key \(keys.current.id) is the current one in \(file.path).")
    if keys.keys.count > 1 {
      invocation.terminal.line("Restart the engine: it wraps the data keys of all sagas with this key.")
    }
  }
  return .success
}

let sealKeyListCommand = CommandSpec(
  "seal-key", "list", summary: "list the keys that seal sensitive values",
  about: ["Lists the ids of the keys in a file, and which one is the current one. It never prints a key."],
  options: [.sealKeys, .json],
  examples: [
    .init(says: "Which key is the current one?", line: "saga seal-key list --seal-keys seal-keys.json"),
    .init(says: "For a program", line: "saga seal-key list --seal-keys seal-keys.json --json"),
  ]
) { invocation in
  let keys = try SealKeyFile(invocation).read()
  if invocation.json {
    let list = keys.keys.map { SealKeyFile.shown($0, in: keys) }
    invocation.terminal.line((["keys": .array(list)] as JSON).text(.pretty))
    return .success
  }
  let rows = keys.keys.map { [$0.id, $0.id == keys.current.id ? "current" : "older", "made \($0.createdAt)"] }
  for line in Layout.table(rows, width: 200) { invocation.terminal.line(line) }
  return .success
}

let sealKeyRemoveCommand = CommandSpec(
  "seal-key", "remove", summary: "destroy an older key that seals sensitive values",
  about: [
    "Removes the key from the file. Do it after an engine has started with the newer key and has wrapped all data keys "
      + "with it. What is wrapped with the removed key alone can never be read again, also in old backups of the store."
  ],
  operands: [OperandSpec("ID", help: "the id of the key, as `saga seal-key list` prints it")],
  options: [.sealKeys],
  examples: [
    .init(
      says: "After a restart with a new key", line: "saga seal-key remove --seal-keys seal-keys.json k-2026-03-01"),
    .init(says: "Which keys are there?", line: "saga seal-key list --seal-keys seal-keys.json"),
  ]
) { invocation in
  let id = try invocation.required(0)
  let file = try SealKeyFile(invocation)
  var keys = try file.read()
  guard keys.remove(id) else {
    throw CLIError(
      CLIErrorCode.accessKeyInvalid,
      id == keys.current.id
        ? "The key \(id) is the current one, and stays"
        : "There is no key with the id \"\(Layout.printable(Layout.clip(id, to: 64)))\"",
      advice: ["`saga seal-key list` lists the ids."])
  }
  try file.replace(keys)
  invocation.terminal.line("Key \(id) is removed from \(file.path).")
  return .success
}

let forgetCommand = CommandSpec(
  "forget", summary: "destroy the sensitive values of an ended saga",
  about: [
    "Destroys the key of the values that the saga's workflow declares as sensitive. The history stays, and its audit chain "
      + "still verifies; in place of each value people see •••. It can't be undone. The saga must have ended.",
    "The history keeps your name and reason. Do not write the forgotten person's name into the reason.",
  ],
  operands: [OperandSpec.saga],
  options: [
    .reason, OptionSpec("key", value: "KEY", help: "the Idempotency-Key; else a new one"), .user, .server, .json,
  ],
  examples: [
    .init(says: "The patient withdrew consent", line: "saga forget ID --reason 'consent withdrawn, form 2026-118'"),
    .init(says: "Does the chain still verify?", line: "saga audit verify"),
  ]
) { invocation in
  let id = try await invocation.sagaID()
  guard let reason = invocation.arguments.value("reason"), reason.contains(where: { !$0.isWhitespace }) else {
    throw invocation.usage("forget wants --reason TEXT: the history keeps it for the auditor")
  }
  let key = invocation.arguments.value("key") ?? invocation.environment.newID().description
  let request = APIRequest(
    .forgetSaga, id, headers: [("Idempotency-Key", key)], body: DecisionRequest(reason: reason).json.bytes())
  try invocation.show(try await invocation.client.answer(to: request, again: 2))
  return .success
}

extension OptionSpec {
  static let sealKeys = OptionSpec(
    "seal-keys", value: "FILE",
    help: "the file of seal keys, the same as for `saga serve`; `seal-key create` makes it")
}

/// The file of seal keys. A change is one rename, so that an engine never reads half a file.
struct SealKeyFile {
  let path: String

  init(_ invocation: Invocation) throws(UsageError) {
    guard let path = invocation.arguments.value("seal-keys") else {
      throw invocation.usage("\(invocation.command.name) wants --seal-keys FILE")
    }
    self.init(path: path)
  }

  init(path: String) {
    // A mounted file is often a symbolic link. The rename must replace the file, and not the link.
    self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  }

  var exists: Bool { FileManager.default.fileExists(atPath: path) }

  /// - Throws: `cli.fileUnreadable`, or `seal.keysUnreadable` for a file with mistakes, and for one that other users can
  ///   read.
  func read() throws -> SealKeys {
    var file = stat()
    guard stat(path, &file) == 0 else {
      let why = errno == ENOENT ? "there is no such file" : String(cString: strerror(errno))
      throw CLIError(
        CLIErrorCode.fileUnreadable, "can't read \(path): \(why)",
        advice: ["`saga seal-key create --seal-keys FILE` makes it."])
    }
    guard file.st_mode & (S_IRWXG | S_IRWXO) == 0 else {
      throw SealKeys.Unreadable(
        message: "The seal keys in \(path) can't be used: other users can read or write the file. "
          + "`chmod 600 \(path)` forbids that.")
    }
    guard file.st_size <= SealKeys.mostBytes else {
      throw SealKeys.Unreadable(message: "The seal keys in \(path) can't be read: the file is too large.")
    }
    let bytes: [UInt8]
    do { bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) } catch {
      throw CLIError(CLIErrorCode.fileUnreadable, "can't read \(path): \(error.localizedDescription)")
    }
    return try SealKeys(parsing: bytes, of: path)
  }

  func replace(_ keys: SealKeys) throws(CLIError) {
    let new = "\(path).new-\(getpid())"
    try NewFile.write(keys.bytes, to: new, mode: 0o600)
    var old = stat()
    // The engine may run as another user, who must still be able to read the file.
    if stat(path, &old) == 0 { _ = chown(new, old.st_uid, old.st_gid) }
    guard rename(new, path) == 0 else {
      let why = String(cString: strerror(errno))
      unlink(new)
      throw CLIError(CLIErrorCode.fileUnwritable, "can't write \(path): \(why)")
    }
  }

  static func shown(_ key: SealKeys.Key, in keys: SealKeys) -> JSON {
    [
      "id": .string(key.id), "createdAt": .string(key.createdAt.description),
      "current": .bool(key.id == keys.current.id),
    ]
  }
}
