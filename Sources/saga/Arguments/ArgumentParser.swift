import Values

/// The words after a command's name, parsed by its spec.
struct ParsedArguments: Sendable, Equatable {
  private(set) var operands: [String] = []
  private var values: [String: [String]] = [:]
  private var flags: Set<String> = []

  /// Whether an option without a value was given.
  func has(_ name: String) -> Bool { flags.contains(name) }
  /// The value of an option, the last when it was given several times.
  func value(_ name: String) -> String? { values[name]?.last }
  /// All values of an option, in order.
  func values(_ name: String) -> [String] { values[name] ?? [] }
  func operand(_ index: Int) -> String? { operands.indices.contains(index) ? operands[index] : nil }

  /// Sorts words by a spec.
  ///
  /// `--name value` and `--name=value` are the same, options and operands may come in any order, and what comes after
  /// `--` are operands.
  init(_ words: some Sequence<String>, for command: CommandSpec) throws(UsageError) {
    var rest = Array(words)[...]
    while let word = rest.popFirst() {
      if word == "--" {
        operands += rest
        break
      }
      if word.hasPrefix("--") {
        try take(option: word, rest: &rest, command: command)
      } else if word.hasPrefix("-"), word != "-" {
        throw UsageError("there is no option \(word); options have two hyphens, as --json", of: command)
      } else {
        operands.append(word)
      }
    }
    try checkOperands(of: command)
  }

  private mutating func take(option word: String, rest: inout ArraySlice<String>, command: CommandSpec)
    throws(UsageError)
  {
    let body = word.dropFirst(2)
    let equals = body.firstIndex(of: "=")
    let name = String(body[..<(equals ?? body.endIndex)])
    guard let option = command.options.first(where: { $0.names.contains(name) }) else {
      let names = command.options.flatMap { [$0.name, $0.shortName].compactMap { $0 } }
      let near = NearNames.nearest(to: name, among: names, completes: true).map { "; did you mean --\($0)?" } ?? ""
      throw UsageError("\(command.name) has no option --\(name)\(near)", of: command)
    }
    guard let valueName = option.value else {
      if equals != nil { throw UsageError("--\(name) takes no value", of: command) }
      flags.insert(option.name)
      return
    }
    let value: String
    if let equals {
      value = String(body[body.index(after: equals)...])
    } else if let next = rest.first, next == "-" || !next.hasPrefix("--") {
      value = rest.removeFirst()
    } else {
      throw UsageError("--\(name) wants a value: --\(name) \(valueName)", of: command)
    }
    if !option.repeats, values[option.name] != nil { throw UsageError("--\(name) was given twice", of: command) }
    values[option.name, default: []].append(value)
  }

  private func checkOperands(of command: CommandSpec) throws(UsageError) {
    var wanted = 0
    var allowed: Int? = 0
    for operand in command.operands {
      switch operand.count {
      case .one:
        wanted += 1
        allowed = allowed.map { $0 + 1 }
      case .atMostOne: allowed = allowed.map { $0 + 1 }
      case .oneOrMore:
        wanted += 1
        allowed = nil
      case .anyNumber: allowed = nil
      }
    }
    if operands.count < wanted {
      let missing = command.operands[operands.count]
      throw UsageError("\(command.name) wants \(missing.name): \(missing.help)", of: command)
    }
    if let allowed, operands.count > allowed {
      throw UsageError("\(command.name) doesn't know what to do with \"\(operands[allowed])\"", of: command)
    }
  }
}
