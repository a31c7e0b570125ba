import HTTP
import Runtime
import Stub
import Workflows

let stubCommand = CommandSpec(
  "stub", summary: "run a participant that answers by your own rules",
  about: [
    "Answers the calls of a workflow from a file of rules: which requests, which answer, which faults. It keeps the rules "
      + "for participants: a key that comes again gets its first answer, and an undo that comes first makes the late "
      + "command refuse. GET /_stub/calls shows what came.",
    "It listens on 127.0.0.1 and keeps everything in memory. docs/stub.md explains the rules. A file with mistakes is not "
      + "run; all mistakes are printed.",
  ],
  operands: [OperandSpec("RULES", help: "the file of rules, JSON; - reads standard input")],
  options: [
    OptionSpec("port", value: "PORT", help: "\(StubAddress.usualPort); 0 takes a free one"),
    OptionSpec("check", help: "only read the file, and print its mistakes"),
    .stopWithInput,
  ],
  examples: [
    .init(says: "A participant for a workflow under work", line: "saga stub rules.json"),
    .init(
      says: "The engine that calls it",
      line: "saga serve --service rack=http://127.0.0.1:\(StubAddress.usualPort),tombstones"),
  ]
) { invocation in
  let file = try invocation.required(0)
  guard let rules = try invocation.rules(in: file) else { return .failure }
  if invocation.arguments.has("check") {
    invocation.terminal.line("\(file): \(FileReport.count(rules.rules.count, "rule")), no mistakes")
    return .success
  }
  guard file != "-" || !invocation.arguments.has("stop-with-input") else {
    throw invocation.usage("standard input is either the rules or the sign to stop, not both")
  }
  let terminal = invocation.terminal
  let configuration = HTTPServerConfiguration(port: try invocation.port(else: StubAddress.usualPort))
  let shutdown = Shutdown.listening(on: terminal, withInput: invocation.arguments.has("stop-with-input"))
  let stub = StubServer(rules, environment: invocation.environment, configuration: configuration) {
    terminal.complain("The stub forgets its oldest keys: it remembers \(rules.remember) keys, or 64 MiB of answers.\n")
  }
  let port = try stub.start()
  terminal.line("The stub listens on http://127.0.0.1:\(port)")
  for line in RuleLines.lines(of: rules) { terminal.line(line) }
  terminal.line("  remembers  \(rules.remember) keys")
  terminal.line("  calls      http://127.0.0.1:\(port)/_stub/calls")
  await shutdown.requested()
  await stub.shutdown()
  return .success
}

/// The address of the stub.
enum StubAddress {
  static let usualPort = 8091
}

/// The rules for people: the first ones, a line each.
private enum RuleLines {
  private static let most = 20

  static func lines(of rules: StubRules) -> [String] {
    let shown = rules.rules.prefix(most).map { rule in
      Layout.clip("  rule       \(Layout.printable("\(rule.name): \(rule.shown)"))", to: 80)
    }
    let more = rules.rules.count - shown.count
    return shown + (more > 0 ? ["  and \(more) more"] : [])
  }
}

extension Invocation {
  /// Reads a file of rules, and prints what is wrong with it.
  /// - Returns: nil when the file has errors.
  fileprivate func rules(in file: String) throws -> StubRules? {
    let bytes = try bytes(of: file)
    let name = file == "-" ? "<stdin>" : file
    let check = StubRules.check(bytes, file: name)
    let source = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    let text = FindingText(style: terminal.errorStyle)
    for finding in check.findings {
      terminal.complain(text.lines(of: finding, in: source).map { $0 + "\n" }.joined())
    }
    if check.omitted > 0 { terminal.complain("\(name): and \(check.omitted) more\n") }
    if check.rules == nil { terminal.complain("\(name): \(FileReport.count(check.errors.count, "error"))\n") }
    return check.rules
  }
}
