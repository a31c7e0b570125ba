import CSystem
import Foundation
import JSON
import Runtime
import Server
import Values

let keyCreateCommand = CommandSpec(
  "key", "create", summary: "create a key for a caller of the engine",
  about: [
    "Adds a key to the file of `saga serve --keys FILE`, which takes it from the next request on. Prints the key once: "
      + "the file has only its hash. The history names the key's owner for everything that is done with it.",
    "ROLE is viewer, operator, approver, author or admin; or starter, with workflows behind it as "
      + "starter:library-prep,store-tube; or worker, with queues behind it as worker:robot.",
    "A workflow may ask for a role of the laboratory at a signal, as qa. The engine takes such a signal only from a key "
      + "with this --lab-role, whatever its other roles are.",
  ],
  options: [
    .keys,
    OptionSpec("name", value: "NAME", help: "the person or program that owns the key, for the history"),
    OptionSpec("role", value: "ROLE", repeats: true, help: "what the key permits"),
    OptionSpec(
      "lab-role", value: "ROLE", repeats: true,
      help: "a role of the owner in the laboratory, for signals that ask for it"),
    OptionSpec("expires", value: "DURATION", help: "when the key ends, from now; at most 1830d, else 90d"),
    OptionSpec(
      "speaks-for-others", help: "believe the Saga-User of this key: for a gateway or a LIMS that knows its people"),
    OptionSpec("out", value: "FILE", help: "write the key to this new file, which only you can read"),
    .json,
  ],
  examples: [
    .init(
      says: "For the LIMS, which starts one workflow for its people",
      line: "saga key create --keys keys.json --name lims \\\n    --role starter:library-prep --speaks-for-others"),
    .init(
      says: "For a person of the night shift",
      line: "saga key create --keys keys.json --name anna --role operator \\\n    --expires 30d"),
  ]
) { invocation in
  guard let name = invocation.arguments.value("name") else { throw invocation.usage("key create wants --name NAME") }
  if let fault = AccessKey.fault(inName: name) { throw invocation.usage("--name \(fault)") }
  let words = invocation.arguments.values("role")
  guard !words.isEmpty else {
    throw invocation.usage("key create wants --role, one of \(KeyFileEditor.roles)")
  }
  let roles = try words.map { word throws(UsageError) in
    guard let role = GrantedRole(word) else {
      throw invocation.usage(
        "--role knows no \"\(word)\": it is one of \(KeyFileEditor.roles); starter and worker may have names behind a "
          + "colon")
    }
    return role
  }
  let labRoles = invocation.arguments.values("lab-role")
  for role in labRoles {
    if let fault = LabRole.fault(in: role) { throw invocation.usage("--lab-role \(fault)") }
  }
  guard labRoles.count <= LabRole.most else { throw invocation.usage("--lab-role may come \(LabRole.most) times") }
  let length = try invocation.time("expires") ?? .seconds(90 * 86_400)
  guard length > .zero, length <= KeyFileEditor.longest else {
    throw invocation.usage("--expires wants a time of at most 1830d")
  }
  func new() -> (key: AccessKey, text: String) {
    AccessKey.new(
      name: name, roles: roles, labRoles: labRoles,
      speaksForOthers: invocation.arguments.has("speaks-for-others"),
      expiresAt: invocation.environment.wallNow() + length, environment: invocation.environment)
  }
  var made = new()
  let out = invocation.arguments.value("out")
  try KeyFileEditor(invocation).edit(creates: true) { list in
    guard list.keys.count < KeyList.mostKeys else {
      throw CLIError(
        CLIErrorCode.accessKeyInvalid, "The file has \(KeyList.mostKeys) keys, and takes no more",
        advice: ["Remove keys that were revoked, or that have expired long ago."])
    }
    while list.keys.contains(where: { $0.id == made.key.id }) { made = new() }
    // Before its hash is: a key that could not be given to its owner is not in the file.
    if let out { try NewFile.write(Array((made.text + "\n").utf8), to: out, mode: 0o600) }
    list.keys.append(made.key)
  }
  let terminal = invocation.terminal
  if invocation.json {
    var object = KeyFileEditor.shown(made.key, at: invocation.environment.wallNow())
    object["key"] = out == nil ? .string(made.text) : nil
    terminal.line(JSON.object(object).text(.pretty))
    return .success
  }
  let end = TimeText.full(made.key.expiresAt)
  terminal.line("Key \(made.key.id) of \(name): \(KeyFileEditor.words(made.key)); until \(end)")
  if let out {
    terminal.line("It is in \(out), and nowhere else.")
  } else {
    terminal.line("It is shown this once:")
    terminal.line(made.text)
  }
  return .success
}

let keyListCommand = CommandSpec(
  "key", "list", summary: "list the keys of the engine's callers",
  about: [
    "Lists the keys of a file, with what each permits and when it ends. No key can be read here: the file has hashes."
  ],
  options: [.keys, .json],
  examples: [
    .init(says: "Who may call the engine?", line: "saga key list --keys keys.json"),
    .init(says: "For a program", line: "saga key list --keys keys.json --json"),
  ]
) { invocation in
  let list = try KeyFileEditor(invocation).read()
  let now = invocation.environment.wallNow()
  if invocation.json {
    let keys = list.keys.map { JSON.object(KeyFileEditor.shown($0, at: now)) }
    invocation.terminal.line((["keys": .array(keys)] as JSON).text(.pretty))
    return .success
  }
  if list.keys.isEmpty { invocation.terminal.line("There is no key: `saga key create` makes one.") }
  let rows = list.keys.map { key in
    [key.id, key.validity(at: now).rawValue, "until \(TimeText.full(key.expiresAt))", key.name]
  }
  // The roles are never cut: the last word of a long list may be the one that matters.
  for (line, key) in zip(Layout.table(rows, width: .max), list.keys) {
    invocation.terminal.line(Layout.printable(line))
    let indent = String(repeating: " ", count: key.id.count + 2)
    for words in Layout.wrap(KeyFileEditor.words(key), width: SagaLines.width - indent.count) {
      invocation.terminal.line(Layout.printable(indent + words))
    }
  }
  return .success
}

let keyRevokeCommand = CommandSpec(
  "key", "revoke", summary: "end a key before it expires",
  about: [
    "The engine refuses the key from the next request on, and ends the sessions and live streams that began with it. "
      + "The file keeps the entry, so that the audit can still say whose key it was."
  ],
  operands: [OperandSpec("ID", help: "the public part of the key, as `saga key list` prints it")],
  options: [.keys],
  examples: [
    .init(says: "A laptop was lost", line: "saga key revoke --keys keys.json 3f2a91c04d17"),
    .init(says: "Which keys are there?", line: "saga key list --keys keys.json"),
  ]
) { invocation in
  let id = try invocation.required(0)
  let now = invocation.environment.wallNow()
  var name = ""
  try KeyFileEditor(invocation).edit { list throws(CLIError) in
    guard let index = list.keys.firstIndex(where: { $0.id == id }) else {
      // A whole key does not belong on a command line, nor into an error.
      let shown = AccessKey.isText(id) ? "the whole key" : "\"\(Layout.printable(Layout.clip(id, to: 40)))\""
      throw CLIError(
        CLIErrorCode.accessKeyInvalid, "There is no key with the id \(shown)",
        advice: ["`saga key list` lists the ids."])
    }
    name = list.keys[index].name
    if list.keys[index].revokedAt == nil { list.keys[index].revokedAt = now }
  }
  invocation.terminal.line("Key \(id) of \(name) is revoked.")
  return .success
}

extension OptionSpec {
  static let keys = OptionSpec(
    "keys", value: "FILE", help: "the file of keys, the same as for `saga serve`; `key create` makes it")
}

/// Reads and changes the file of keys. The change is one rename, so that an engine never reads half a file. A lock keeps
/// two commands apart.
struct KeyFileEditor {
  static let longest = Duration.seconds(1_830 * 86_400)
  static let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")

  private let path: String

  init(_ invocation: Invocation) throws(UsageError) {
    guard let path = invocation.arguments.value("keys") else {
      throw invocation.usage("\(invocation.command.name) wants --keys FILE")
    }
    // A mounted file is often a symbolic link. The rename must replace the file, and not the link.
    self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  }

  /// - Throws: `CLIError` `cli.fileUnreadable` without the file, `AccessRefusal` `access.keysUnreadable` for a mistake in it.
  func read() throws -> KeyList {
    let bytes: [UInt8]
    do { bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) } catch {
      let exists = FileManager.default.fileExists(atPath: path)
      throw CLIError(
        CLIErrorCode.fileUnreadable,
        "can't read \(path): \(exists ? error.localizedDescription : "there is no such file")",
        advice: exists ? [] : ["`saga key create --keys FILE` makes it."])
    }
    return try KeyList(parsing: bytes, of: path)
  }

  /// - Parameter creates: true to begin with no keys when there is no file.
  func edit(creates: Bool = false, _ change: (inout KeyList) throws -> Void) throws {
    let lock = saga_open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { throw Self.unwritable(path) }
    defer { close(lock) }
    guard flock(lock, LOCK_EX) == 0 else { throw Self.unwritable(path) }
    var old = stat()
    let exists = stat(path, &old) == 0
    var list = exists || !creates ? try read() : KeyList()
    try change(&list)
    let new = "\(path).new-\(getpid())"
    try NewFile.write(list.bytes, to: new, mode: 0o600)
    do {
      let handle = try FileHandle(forUpdating: URL(fileURLWithPath: new))
      defer { try? handle.close() }
      // The engine may run as another user, who must still be able to read the file.
      if exists,
        fchown(handle.fileDescriptor, old.st_uid, old.st_gid) != 0
          || fchmod(handle.fileDescriptor, old.st_mode & 0o755) != 0
      {
        throw Self.unwritable(path)
      }
      try handle.synchronize()
      guard rename(new, path) == 0 else { throw Self.unwritable(path) }
    } catch {
      unlink(new)
      throw error as? CLIError ?? CLIError(CLIErrorCode.fileUnwritable, "can't write \(path): \(error)")
    }
  }

  private static func unwritable(_ path: String) -> CLIError {
    CLIError(CLIErrorCode.fileUnwritable, "can't write \(path): \(String(cString: strerror(errno)))")
  }

  static func words(_ key: AccessKey) -> String {
    (key.roles.map(\.description) + key.labRoles.map { "lab:\($0)" }).joined(separator: " ")
      + (key.speaksForOthers ? ", speaks for others" : "")
  }

  /// What people may see of a key.
  static func shown(_ key: AccessKey, at now: Timestamp) -> JSONObject {
    var object: JSONObject = [
      "id": .string(key.id), "name": .string(key.name), "status": .string(key.validity(at: now).rawValue),
      "roles": .array(key.roles.map { .string($0.description) }), "speaksForOthers": .bool(key.speaksForOthers),
      "createdAt": .timestamp(key.createdAt), "expiresAt": .timestamp(key.expiresAt),
    ]
    if !key.labRoles.isEmpty { object["labRoles"] = .array(key.labRoles.map(JSON.string)) }
    if let revoked = key.revokedAt { object["revokedAt"] = .timestamp(revoked) }
    return object
  }
}
