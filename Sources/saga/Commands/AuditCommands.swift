import CSystem
import Foundation
import JSON
import Persistence
import PostgresPersistence
import Runtime
import SagaCore
import Server
import Values
import Wire

let auditCommand = CommandSpec(
  "audit", summary: "list who did what, when and why",
  about: [
    "Lists every start, signal and verb, every registration of a workflow and every rewind of the echo, oldest first, "
      + "with the status of the saga and the step before and after."
  ],
  options: [
    OptionSpec("saga", value: "ID", help: "only of this saga"),
    OptionSpec("by", formerly: "actor", value: "NAME", help: "only acts of this person"),
    OptionSpec(
      "verb", value: "VERB", words: OperatorVerb.Name.allCases.map(\.rawValue) + ["start", "signal", "register"],
      help: "only this verb: retry, cancel, start, signal, register, …"),
    OptionSpec(
      "since", value: "TIME", help: "at this time or later: 1h (an hour ago), today, yesterday, 2026-11-29, …"),
    OptionSpec("until", value: "TIME", help: "before this time"),
    OptionSpec("between", value: "FROM..TO", help: "the same in one option; each time can be left out"),
    OptionSpec("limit", value: "N", help: "the most acts, the oldest first; else all"),
    OptionSpec("csv", help: "as CSV (RFC 4180), for a spreadsheet"), .server, .json,
  ],
  examples: [
    .init(says: "What was done to a saga?", line: "saga audit --saga ID"),
    .init(says: "March, for the auditor", line: "saga audit --between 2026-03-01..2026-04-01 --csv > march.csv"),
    .init(says: "Who retried in the night?", line: "saga audit --verb retry --since 12h --limit 50"),
  ]
) { invocation in
  let most = try invocation.number("limit")
  if most == 0 { throw invocation.usage("--limit wants a whole number from 1") }
  var query: [(name: String, value: String)] = [("limit", "\(min(most ?? 200, 200))")]
  if let by = invocation.arguments.value("by") { query.append(("by", by)) }
  if let verb = invocation.arguments.value("verb") { query.append(("verb", verb)) }
  query += try invocation.between()
  let asCSV = invocation.arguments.has("csv")
  if asCSV, invocation.json { throw invocation.usage("audit wants --csv or --json, not both") }
  if let saga = invocation.arguments.value("saga") {
    query.insert(("saga", try await invocation.sagaID(named: saga)), at: 1)
  }
  let drawing = AuditLines(style: invocation.style)
  var acts: [JSON] = []
  var cursor: String?
  var count = 0
  /// Whether more acts match than `--limit` lets through.
  var isCut = false
  if asCSV { invocation.terminal.write(AuditCSV.heading) }
  repeat {
    let answer = try await invocation.client.get(.listActs, query: query + (cursor.map { [("cursor", $0)] } ?? []))
    // A terminal gets no control characters. A spreadsheet gets the texts as they are.
    let page: AuditResponse = asCSV ? try answer.readUnchanged() : try answer.read()
    let room = most.map { $0 - count } ?? .max
    if page.acts.count > room { isCut = true }
    if invocation.json {
      acts += answer.json["acts"]?.arrayValue?.prefix(room) ?? []
      count += min(room, page.acts.count)
    }
    for act in page.acts.prefix(room) where !invocation.json {
      if asCSV {
        invocation.terminal.write(AuditCSV.line(of: act))
      } else {
        if count == 0 { invocation.terminal.line(drawing.heading) }
        for line in drawing.lines(of: act) { invocation.terminal.line(line) }
      }
      count += 1
    }
    cursor = page.next
    if count == most { isCut = isCut || cursor != nil }
  } while cursor != nil && count != most
  if invocation.json {
    invocation.terminal.line(JSON.object(["acts": .array(acts)]).text(.pretty))
  } else if count == 0, !asCSV {
    invocation.terminal.line("No act matches.")
  } else if isCut, !asCSV {
    invocation.terminal.line(invocation.style.dim("More acts follow: a larger --limit, or a later --since."))
  }
  return .success
}

let auditKeygenCommand = CommandSpec(
  "audit", "keygen", summary: "make a key pair that signs heads",
  about: [
    "Writes an Ed25519 private key to FILE, readable by you alone, and the public key to FILE.pub. Keep the private key "
      + "away from the store: a person with both can sign a forged store. Never overwrites a file."
  ],
  operands: [OperandSpec("FILE", help: "the file for the private key")], options: [],
  examples: [
    .init(says: "Once", line: "saga audit keygen /media/stick/audit.key"),
    .init(says: "Then, every day", line: "saga audit head --sign-key /media/stick/audit.key --out head.json"),
  ]
) { invocation in
  let file = try invocation.required(0)
  guard let key = SigningKey.generate(), let pem = key.pem, let publicPEM = key.publicKey.pem else {
    throw CLIError(CLIErrorCode.keyInvalid, "libcrypto failed to make a key")
  }
  try NewFile.write(pem, to: file, mode: 0o600)
  try NewFile.write(publicPEM, to: file + ".pub", mode: 0o644)
  invocation.terminal.line("private key  \(file)")
  invocation.terminal.line("public key   \(file).pub")
  invocation.terminal.line("key id       \(key.publicKey.id)")
  return .success
}

let auditHeadCommand = CommandSpec(
  "audit", "head", summary: "print the signed ends of the chains",
  about: [
    "Prints the end of every shard's chain of hashes as JSON. Sign it and keep it away from the administrators of the "
      + "store: it proves later that no earlier event was changed, moved or removed. The key stays on this machine."
  ],
  options: [
    OptionSpec("sign-key", value: "FILE", help: "the private key of `saga audit keygen`"),
    OptionSpec("out", value: "FILE", help: "the file for the head; else it is printed"),
    OptionSpec("store", value: "STORE", help: "read this store without the engine: sqlite:PATH or postgres:URL"),
    .server,
  ],
  examples: [
    .init(says: "Every night", line: "saga audit head --sign-key audit.key --out head-$(date +%F).json"),
    .init(says: "Without an engine", line: "saga audit head --store sqlite:.saga/engine.db --sign-key audit.key"),
  ]
) { invocation in
  let key = try invocation.arguments.value("sign-key").map { file in
    guard let key = SigningKey(pem: try invocation.bytes(of: file)) else {
      throw CLIError(CLIErrorCode.keyInvalid, "\(file) is not an Ed25519 private key in PEM")
    }
    return key
  }
  var head: AuditHead
  if let archive = try await invocation.archive() {
    head = try await archive.auditHead(at: invocation.environment.now())
    await archive.close()
  } else {
    head = try AuditHead(try await invocation.client.get(.auditHead).json)
  }
  if let key {
    guard let signed = head.signed(with: key) else {
      throw CLIError(CLIErrorCode.keyInvalid, "libcrypto failed to sign the head")
    }
    head = signed
  }
  let text = head.json.text(.pretty) + "\n"
  if let file = invocation.arguments.value("out") {
    try NewFile.write(Array(text.utf8), to: file, mode: 0o644)
    let events = head.shards.reduce(0) { $0 + $1.position }
    invocation.terminal.line(
      "\(file): \(FileReport.count(Int(events), "event")) in \(FileReport.count(head.shards.count, "shard")), "
        + (head.signature.map { "signed with \($0.key)" } ?? "not signed"))
  } else {
    invocation.terminal.write(text)
  }
  return .success
}

let auditVerifyCommand = CommandSpec(
  "audit", "verify", summary: "check that no stored event was changed",
  about: [
    "Walks every shard's chain of hashes from the first event and names the first link that doesn't hold. With an "
      + "earlier signed head it also finds events that were cut off at the end, or all hashed again. Exit status 1 when "
      + "a link is broken.",
    "With --store it reads the store itself and changes nothing. An engine can run at the same time.",
  ],
  options: [
    OptionSpec("head", value: "FILE", help: "an earlier head, signed"),
    OptionSpec("public-key", value: "FILE", help: "the public key of `saga audit keygen` that it was signed with"),
    OptionSpec("store", value: "STORE", help: "read this store without the engine: sqlite:PATH or postgres:URL"),
    .server, .json,
  ],
  examples: [
    .init(says: "The store of a running engine", line: "saga audit verify --store sqlite:.saga/engine.db"),
    .init(says: "Against an earlier head", line: "saga audit verify --head head.json --public-key audit.key.pub"),
  ]
) { invocation in
  let headFile = invocation.arguments.value("head")
  let keyFile = invocation.arguments.value("public-key")
  guard (headFile == nil) == (keyFile == nil) else {
    throw invocation.usage("audit verify wants --head and --public-key together")
  }
  var head: AuditHead?
  var pem: [UInt8] = []
  if let headFile, let keyFile {
    pem = try invocation.bytes(of: keyFile)
    guard let key = VerifyingKey(pem: pem) else {
      throw CLIError(CLIErrorCode.keyInvalid, "\(keyFile) is not an Ed25519 public key in PEM")
    }
    let read = try AuditHead(parsing: try invocation.bytes(of: headFile))
    try read.verify(with: key)
    head = read
  }
  let answer: EngineAnswer
  if let archive = try await invocation.archive() {
    answer = EngineAnswer(
      status: 200, json: try await archive.audit(against: head).json, server: invocation.arguments.value("store") ?? "")
    await archive.close()
  } else {
    var body: JSONObject = [:]
    if let head {
      body["head"] = head.json
      body["publicKey"] = .string(String(decoding: pem, as: UTF8.self))
    }
    var request = APIRequest(.verifyAudit, body: JSON.object(body).bytes())
    request.timeout = .seconds(600)
    answer = try await invocation.client.answer(to: request)
  }
  let report: AuditReportResponse = try answer.read()
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
  } else {
    for line in AuditReportLines(report: report, style: invocation.style).lines() { invocation.terminal.line(line) }
  }
  return report.intact ? .success : .failure
}

extension Invocation {
  /// Opens the store that `--store` names; nil without the option.
  fileprivate func archive() async throws -> (any EventReading)? {
    guard arguments.value("store") != nil else { return nil }
    switch try store(else: .memory) {
    case .memory: throw usage("--store wants sqlite:PATH or postgres:URL: a store in memory has no events to audit")
    case .sqlite(let path):
      guard FileManager.default.fileExists(atPath: path) else {
        throw CLIError(CLIErrorCode.fileUnreadable, "can't read \(path): there is no such file")
      }
      return try await SQLiteArchive.open(path: path)
    case .postgres(let url):
      return try await PostgresStore.openToRead(PostgresConfiguration(url: url), environment: environment)
    }
  }

  /// Returns the query parameters of `--since` and `--until`, or of `--between FROM..TO`.
  fileprivate func between() throws(UsageError) -> [(name: String, value: String)] {
    var words = [("from", "since", arguments.value("since")), ("to", "until", arguments.value("until"))]
    if let text = arguments.value("between") {
      guard words.allSatisfy({ $0.2 == nil }) else {
        throw usage("--between and --since or --until exclude each other")
      }
      let parts = text.components(separatedBy: "..")
      guard parts.count == 2, parts.contains(where: { !$0.isEmpty }) else {
        throw usage("--between wants FROM..TO, as 2026-03-01..2026-04-01, not \"\(text)\"")
      }
      words = zip(["from", "to"], parts).map { ($0, "between", $1.isEmpty ? nil : $1) }
    }
    var query: [(name: String, value: String)] = []
    for case (let name, let option, let word?) in words {
      query.append((name, try time(word, of: option).description))
    }
    return query
  }
}

/// Writes a new file. Sets its rights before the first byte.
enum NewFile {
  static func write(_ bytes: [UInt8], to path: String, mode: UInt32) throws(CLIError) {
    let descriptor = saga_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
    guard descriptor >= 0 else {
      let why = errno == EEXIST ? "it exists already and is not overwritten" : String(cString: strerror(errno))
      throw CLIError(CLIErrorCode.fileUnwritable, "can't write \(path): \(why)")
    }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    do {
      try handle.write(contentsOf: Data(bytes))
      try handle.close()
    } catch {
      throw CLIError(CLIErrorCode.fileUnwritable, "can't write \(path): \(error.localizedDescription)")
    }
  }
}
