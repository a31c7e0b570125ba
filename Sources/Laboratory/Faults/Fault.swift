import Values

/// A fault that a participant simulates.
///
/// Written `SERVICE.COMMAND:KIND[=ARG][,WHEN…]`, as `storage.allocate:fail=STORAGE_FULL,times=2,match=TS-*`.
public struct Fault: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// Refuses with this code; nothing happens.
    case fail(code: String)
    /// Answers with this status; nothing happens.
    case status(Int)
    /// Never answers; nothing happens.
    case timeout
    /// Carries out the command and closes the connection without an answer.
    case dropAnswer
    /// Carries out the command after this delay.
    case slow(Duration)
  }

  /// The fault as it was written.
  public let text: String
  /// The service; nil means every service.
  public let service: LabService?
  /// The command, or the signal of a person; nil means every one.
  public let command: String?
  /// True for a fault of the people around the laboratory, as `people.approval:fail`: it applies to the signals that they
  /// send, and to no command.
  public let isOfPeople: Bool
  public let kind: Kind
  /// The largest number of calls to which it applies; nil means no limit.
  public let times: Int?
  /// It applies to every n-th matching call.
  public let every: Int
  /// It applies only to calls in which a text of the body or an id of the path matches; nil matches all.
  public let match: Glob?

  /// The error of a fault that can't be read, and its place.
  public struct ParseError: CodedError, Hashable {
    public let text: String
    /// In Unicode scalars, from 1.
    public let column: Int
    public let reason: String

    public var code: String { LabErrorCode.faultInvalid }
    public var message: String { "The fault “\(text)” can't be read at column \(column): \(reason)." }
  }

  /// Reads a fault.
  public init(_ text: String) throws(ParseError) {
    var reader = FaultReader(text)
    self.text = text
    (isOfPeople, service, command) = try reader.target()
    var kind: Kind?
    var times: Int?
    var every = 1
    var match: Glob?
    for word in try reader.words() {
      switch word.name {
      case "once":
        try word.takesNothing()
        times = 1
      case "times": times = try word.count()
      case "every": every = try word.count()
      case "match":
        guard let pattern = word.argument, !pattern.isEmpty else {
          throw word.wrong("match needs a pattern, as match=TS-*")
        }
        match = Glob(pattern)
      default:
        guard let read = try word.kind() else {
          throw word.wrong(
            "“\(word.name)” is none of fail, status, timeout, drop-answer, slow, once, times, every, match")
        }
        guard kind == nil else { throw word.wrong("a fault has one kind") }
        kind = read
      }
    }
    if isOfPeople, case .status = kind {
      throw ParseError(
        text: text, column: 1, reason: "a person gives no status: write fail, timeout, drop-answer or slow")
    }
    self.kind = kind ?? .fail(code: LabErrorCode.injected)
    self.times = times
    self.every = every
    self.match = match
  }
}

/// Reads a fault's text part by part, with the column of each.
private struct FaultReader {
  let text: String
  private let scalars: [Unicode.Scalar]
  private var at = 0

  init(_ text: String) {
    self.text = text
    scalars = Array(text.unicodeScalars)
  }

  struct Word {
    let name: String
    let argument: String?
    let text: String
    let column: Int

    func wrong(_ reason: String) -> Fault.ParseError { Fault.ParseError(text: text, column: column, reason: reason) }

    func takesNothing() throws(Fault.ParseError) {
      if argument != nil { throw wrong("\(name) takes no argument") }
    }

    func count() throws(Fault.ParseError) -> Int {
      guard let count = argument.flatMap({ Int($0) }), count > 0 else {
        throw wrong("\(name) needs a whole number above 0, as \(name)=3")
      }
      return count
    }

    /// - Returns: nil when the word names no kind.
    func kind() throws(Fault.ParseError) -> Fault.Kind? {
      switch name {
      case "fail":
        guard argument != "" else { throw wrong("fail= needs a code, as fail=STORAGE_FULL") }
        return .fail(code: argument ?? LabErrorCode.injected)
      case "status":
        guard let status = argument.flatMap({ Int($0) }), (400...599).contains(status) else {
          throw wrong("status needs a number from 400 to 599, as status=503")
        }
        return .status(status)
      case "timeout":
        try takesNothing()
        return .timeout
      case "drop-answer":
        try takesNothing()
        return .dropAnswer
      case "slow": return .slow(try duration())
      default: return nil
      }
    }

    private func duration() throws(Fault.ParseError) -> Duration {
      let units: [(String, Int)] = [("ms", 1), ("s", 1_000), ("m", 60_000)]
      if let argument, let unit = units.first(where: { argument.hasSuffix($0.0) }),
        let count = Int(argument.dropLast(unit.0.count)), count > 0, count <= 86_400_000 / unit.1
      {
        return .milliseconds(count * unit.1)
      }
      throw wrong("slow needs a duration of at most a day, as slow=2s or slow=250ms")
    }
  }

  mutating func target() throws(Fault.ParseError) -> (isOfPeople: Bool, LabService?, String?) {
    guard let colon = scalars.firstIndex(of: ":") else {
      throw wrong(at: scalars.count, "it is written SERVICE.COMMAND:KIND, as storage.allocate:fail")
    }
    let target = scalars[..<colon]
    at = colon + 1
    guard let dot = target.firstIndex(of: ".") else {
      throw wrong(at: 0, "“\(Self.string(target))” is not written SERVICE.COMMAND")
    }
    let serviceName = Self.string(target[..<dot])
    let commandName = Self.string(target[(dot + 1)...])
    let service = LabService(rawValue: serviceName)
    let isOfPeople = serviceName == "people"
    guard service != nil || isOfPeople || serviceName == "*" else {
      throw wrong(
        at: 0, "“\(serviceName)” is none of \(LabService.allCases.map(\.rawValue).joined(separator: ", ")), people, *")
    }
    if commandName == "*" { return (isOfPeople, service, nil) }
    let signals = isOfPeople ? PersonalAnswer.allCases.map(\.rawValue) : nil
    let known = signals ?? service?.commands ?? LabService.allCases.flatMap(\.commands)
    guard known.contains(commandName) else {
      throw wrong(at: dot + 1, "“\(commandName)” is none of \(known.joined(separator: ", ")), *")
    }
    return (isOfPeople, service, commandName)
  }

  func words() throws(Fault.ParseError) -> [Word] {
    var words: [Word] = []
    var start = at
    for part in scalars[at...].split(separator: ",", omittingEmptySubsequences: false) {
      guard !part.isEmpty else { throw wrong(at: start, "a word is missing") }
      let equals = part.firstIndex(of: "=")
      words.append(
        Word(
          name: Self.string(part[..<(equals ?? part.endIndex)]),
          argument: equals.map { Self.string(part[($0 + 1)...]) },
          text: text, column: start + 1))
      start = part.endIndex + 1
    }
    return words
  }

  private func wrong(at index: Int, _ reason: String) -> Fault.ParseError {
    Fault.ParseError(text: text, column: index + 1, reason: reason)
  }

  private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }
}
