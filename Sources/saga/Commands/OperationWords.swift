import JSON
import SagaCore
import Wire
import Workflows

/// The verb and the sagas of `saga ops preview` and `saga ops run`.
struct OperationWords {
  static let operands = [
    OperandSpec(
      "VERB", words: OperatorVerb.Name.allCases.map(\.rawValue),
      help: "retry, resolve, skip, run-now, extend, rewind, pause, resume, migrate, compensate, cancel, "
        + "abandon")
  ]
  private static let notFilters: Set<String> = ["sort", "seen"]
  private static var filters: [(option: OptionSpec, parameter: String)] {
    listFilters.filter { !notFilters.contains($0.option.name) }
  }

  static let options: [OptionSpec] =
    filters.map(\.option) + listFlags.map(\.option) + [
      OptionSpec("saga", value: "ID", repeats: true, help: "exactly this saga, and every other that is named"),
      OptionSpec("on", formerly: "to", value: "STEP", help: "the step that the verb is for"),
      OptionSpec(
        "outcome", value: "WHAT", words: ["happened", "didNotHappen", "undone"],
        help: "resolve: happened, didNotHappen, or undone"),
      OptionSpec("input", value: "JSON", help: "retry: what the step reads instead"),
      OptionSpec("output", value: "JSON", help: "skip, resolve: what later steps read"),
      OptionSpec("by", value: "TIME", help: "extend: how much later, as 2h"),
      OptionSpec("to-version", value: "N", help: "migrate: the version to which the sagas move, or draft-3"),
    ]

  /// The request without a reason and a pace.
  let request: NewOperationRequest
  /// The same as words of the command line.
  let shown: [String]

  init(_ invocation: Invocation) async throws {
    var request = NewOperationRequest(verb: try invocation.required(0))
    var shown = [try invocation.required(0)]
    var filter: JSONObject = [:]
    for (option, parameter) in Self.filters {
      let values = invocation.arguments.values(option.name)
      if values.isEmpty { continue }
      var read: [String] = []
      for value in values { read.append(try await invocation.value(value, ofFilter: option.name)) }
      let texts = read.map(JSON.string)
      filter[parameter] = texts.count == 1 ? texts[0] : .array(texts)
      // `1h` means another time when the shown command runs.
      let said = Invocation.timeFilters.contains(option.name) || option.name == "parent" ? read : values
      for value in said { shown += ["--\(option.name)", Shell.quoted(value)] }
    }
    for (option, parameter) in listFlags where invocation.arguments.has(option.name) {
      filter[parameter] = true
      shown.append("--\(option.name)")
    }
    let named = invocation.arguments.values("saga")
    switch (filter.isEmpty, named.isEmpty) {
    case (true, true):
      throw invocation.usage("\(invocation.command.name) wants a filter, such as --stuck, or --saga ID")
    case (false, false): throw invocation.usage("--saga and a filter exclude each other")
    case (false, true): request.filter = .object(filter)
    case (true, false):
      var sagas: [String] = []
      for saga in named { sagas.append(try await invocation.sagaID(named: saga)) }
      request.sagas = sagas
      shown += sagas.flatMap { ["--saga", $0] }
    }
    let texts: [(option: String, member: WritableKeyPath<VerbMembers, String?>)] = [
      ("on", \.step), ("outcome", \.outcome), ("by", \.by),
    ]
    for (option, member) in texts {
      guard let value = invocation.arguments.value(option) else { continue }
      request.members[keyPath: member] = value
      shown += ["--\(option)", Shell.quoted(value)]
    }
    let values: [(option: String, member: WritableKeyPath<VerbMembers, JSON?>)] = [
      ("input", \.input), ("output", \.output),
    ]
    for (option, member) in values {
      guard let text = invocation.arguments.value(option) else { continue }
      request.members[keyPath: member] = try invocation.value(of: text, option: option)
      shown += ["--\(option)", Shell.quoted(text)]
    }
    switch try invocation.version("to-version") {
    case nil: break
    case .number(let number)?:
      request.members.to = number
      shown += ["--to-version", invocation.arguments.value("to-version") ?? ""]
    case .latestDraft?: throw invocation.usage("--to-version wants the number of the draft, as draft-3")
    }
    self.request = request
    self.shown = shown
  }
}
