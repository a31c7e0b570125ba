import JSON
import Runtime
import Server
import Values
import Wire
import Workflows

/// A version of a workflow as people write it on the command line: `3`, `draft-3`, or `draft` for the latest draft.
enum VersionWord: Equatable {
  /// Below zero for a draft.
  case number(Int)
  case latestDraft

  /// - Returns: nil for every other text.
  init?(_ text: String) {
    if text == "draft" {
      self = .latestDraft
      return
    }
    let isDraft = text.hasPrefix("draft-")
    let digits = isDraft ? text.dropFirst("draft-".count) : text[...]
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(digits), number >= 1 else { return nil }
    self = .number(isDraft ? -number : number)
  }

  /// The version as the API takes it in a path.
  var path: String {
    switch self {
    case .number(let number): "\(number)"
    case .latestDraft: "draft"
    }
  }

  /// The forms that people can write.
  static let forms = "a whole number from 1, draft, or draft-3"
}

/// Where a version of a workflow is: in a file, or in the engine.
struct WorkflowPlace {
  enum Kind {
    case file(String)
    case registered(name: String, VersionWord)
  }
  let kind: Kind
  private let invocation: Invocation

  /// - Parameter index: the number of the operand.
  init(_ invocation: Invocation, _ index: Int) throws(UsageError) {
    let text = try invocation.required(index)
    self.invocation = invocation
    guard let at = text.lastIndex(of: "@"), case let name = String(text[..<at]), NameRule.word.allows(name) else {
      kind = .file(text)
      return
    }
    guard let version = VersionWord(String(text[text.index(after: at)...])) else {
      throw invocation.usage("\"\(text)\" is not NAME@VERSION; a version is \(VersionWord.forms). A file is ./\(text)")
    }
    kind = .registered(name: name, version)
  }

  var isRegistered: Bool { if case .registered = kind { true } else { false } }

  /// - Returns: nil when a file has errors, which are printed.
  func definition() async throws -> WorkflowDefinition? {
    switch kind {
    case .file(let file): return try invocation.definition(of: file)
    case .registered(let name, let version):
      let workflow = try await Self.workflow(name, version, invocation)
      do {
        let definition = try StoredWorkflow.decode(workflow.definition.bytes())
        return VersionName.isDraft(workflow.version) ? definition.asDraft(-workflow.version) : definition
      } catch {
        throw CLIError(
          CLIErrorCode.answerUnexpected, "\(name)@\(version.path) has a form that this command doesn't know: \(error)",
          advice: ["The engine is newer than this command. Use the `saga` of the engine's version."])
      }
    }
  }

  static func workflow(_ name: String, _ version: VersionWord, _ invocation: Invocation) async throws
    -> WorkflowResponse
  {
    try await invocation.client.get(.getWorkflowVersion, name, version.path).readUnchanged()
  }
}

extension Invocation {
  /// Returns the version of a workflow that an option names; nil without the option.
  func version(_ option: String) throws(UsageError) -> VersionWord? {
    guard let text = arguments.value(option) else { return nil }
    guard let version = VersionWord(text) else {
      throw usage("--\(option) wants a version: \(VersionWord.forms), not \"\(text)\"")
    }
    return version
  }
}
