import CSystem
import Runtime

/// The name, the words and the purpose of a command. The parser and the help are made from it.
struct CommandSpec: Sendable {
  /// As typed: `["list"]`, `["workflows", "register"]`.
  let path: [String]
  /// One line, for the list of commands.
  let summary: String
  /// The purpose of the command, in paragraphs; wrapped when shown.
  let about: [String]
  let operands: [OperandSpec]
  let options: [OptionSpec]
  /// Examples. They are shown unchanged, so each fits in 80 columns.
  let examples: [Example]
  let run: @Sendable (Invocation) async throws -> ExitStatus

  var name: String { path.joined(separator: " ") }

  struct Example: Sendable {
    let says: String
    let line: String
  }

  init(
    _ path: String..., summary: String, about: [String], operands: [OperandSpec] = [], options: [OptionSpec] = [],
    examples: [Example], run: @escaping @Sendable (Invocation) async throws -> ExitStatus
  ) {
    self.path = path
    self.summary = summary
    self.about = about
    self.operands = operands
    // Each command that talks to an engine can send a key, and trust an authority of its own.
    self.options = options.flatMap { $0.name == OptionSpec.server.name ? [$0, .keyFile, .authorities] : [$0] }
    self.examples = examples
    self.run = run
  }
}

/// A word that is not an option.
struct OperandSpec: Sendable {
  enum Count: Sendable { case one, atMostOne, oneOrMore, anyNumber }
  let name: String
  let count: Count
  /// The words that it can be; empty for any other word. A completion offers them.
  let words: [String]
  let help: String

  init(_ name: String, _ count: Count = .one, words: [String] = [], help: String) {
    self.name = name
    self.count = count
    self.words = words
    self.help = help
  }
}

/// A `--name`, with a value or without.
struct OptionSpec: Sendable {
  let name: String
  /// An older name of the option. The parser takes it as well; nil when the option has always had its name.
  let olderName: String?
  /// A shorter name of the option, as `--since`; nil for most.
  let shortName: String?
  /// The name of its value in the help; nil for an option without a value.
  let value: String?
  /// The values that the option takes, when they are words; empty for every other value. A completion offers them.
  let words: [String]
  let repeats: Bool
  let help: String

  init(
    _ name: String, formerly olderName: String? = nil, or shortName: String? = nil, value: String? = nil,
    words: [String] = [], repeats: Bool = false, help: String
  ) {
    self.name = name
    self.olderName = olderName
    self.shortName = shortName
    self.value = value
    self.words = words
    self.repeats = repeats
    self.help = help
  }

  /// All names that the parser takes, the one of the help first.
  var names: [String] { [name, shortName, olderName].compactMap { $0 } }

  /// The help of the option, with all that the parser takes.
  var wholeHelp: String {
    help + (repeats ? " (may be repeated)" : "") + (shortName.map { " (or --\($0))" } ?? "")
      + (olderName.map { " (older name: --\($0))" } ?? "")
  }

  /// `--key KEY`
  var shown: String { "--" + name + (value.map { " " + $0 } ?? "") }
}

/// The exit status of the process.
enum ExitStatus: Int32, Sendable {
  case success = 0
  /// The command failed, was refused, or found errors.
  case failure = 1
  /// The command line itself was wrong.
  case usage = 2

  /// Writes the rest of the log and ends the process. `exit` would let the C libraries clean up while threads still use
  /// them (OpenSSL frees its algorithms), which crashes. The caller closes stores and servers before.
  func leave() -> Never {
    Log.flush()
    _exit(rawValue)
  }
}
