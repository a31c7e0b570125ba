import JSON
import JSONSchema
import SagaCore
import Values
import Workflows

/// The input of a rehearsed saga, and what its steps answer.
public struct Answers: Sendable, Hashable {
  public internal(set) var input: JSON
  /// What each call answers, and the body of each signal, by the step's id.
  public internal(set) var outputs: [String: JSON]
  /// The status and the headers that each call over HTTP answers, as far as expressions read them.
  var heads: [String: JSON] = [:]
  /// The body of each signal that confirms an undo, by the step's id.
  var undoSignals: [String: JSON] = [:]
  /// The values of these bodies that conditions compare with values at other places.
  fileprivate var comparisons: [Comparison] = []

  fileprivate struct Comparison: Sendable, Hashable {
    let place: ReadPlace
    let other: ReadPlace
  }

  public init(input: JSON, outputs: [String: JSON]) {
    self.input = input
    self.outputs = outputs
  }

  /// Returns the value at a place; of a list, of its first element. Nil when nothing is there.
  func value(at place: ReadPlace) -> JSON? {
    var value = root(place.root)
    for part in place.path {
      switch part {
      case .member(let name): value = value?[name]
      case .elements: value = value?.arrayValue?.first
      }
    }
    return value
  }

  /// Returns the steps whose answers or signals are others.
  func steps(differingFrom other: Answers) -> Set<String> {
    Self.differing(outputs, other.outputs).union(Self.differing(heads, other.heads))
  }

  /// Returns the steps whose undos other signals confirm.
  func undos(differingFrom other: Answers) -> Set<String> { Self.differing(undoSignals, other.undoSignals) }

  private static func differing(_ one: [String: JSON], _ other: [String: JSON]) -> Set<String> {
    Set(one.keys.filter { one[$0] != other[$0] } + other.keys.filter { one[$0] == nil })
  }

  /// Returns the bodies that may confirm the undo of a step, the most likely one first: with the values that its condition
  /// compares it with, and as it was made.
  func confirmations(of step: String) -> [JSON] {
    let made = undoSignals[step] ?? .object([:])
    var equal = self
    for one in comparisons where one.place.root == .undoSignal(step) {
      if let value = value(at: one.other) { equal.set(value, at: one.place) }
    }
    return [equal.undoSignals[step], equal == self ? nil : made].compactMap(\.self)
  }

  /// Replaces the value at a place, in every element of a list; nil removes a member.
  mutating func set(_ value: JSON?, at place: ReadPlace) {
    let changed = Self.setting(value, at: place.path[...], in: root(place.root) ?? .object([:])) ?? .object([:])
    switch place.root {
    case .input: input = changed
    case .output(let step): outputs[step] = changed
    case .answer(let step): heads[step] = changed
    case .undoSignal(let step): undoSignals[step] = changed
    }
  }

  private func root(_ root: ReadPlace.Root) -> JSON? {
    switch root {
    case .input: input
    case .output(let step): outputs[step]
    case .answer(let step): heads[step]
    case .undoSignal(let step): undoSignals[step]
    }
  }

  private static func setting(_ value: JSON?, at path: ArraySlice<ReadPlace.Part>, in json: JSON) -> JSON? {
    guard let part = path.first else { return value }
    switch part {
    case .member(let name):
      var members = json.objectValue ?? [:]
      members[name] = setting(value, at: path.dropFirst(), in: members[name] ?? .object([:]))
      return .object(members)
    case .elements:
      let elements = json.arrayValue ?? [.object([:])]
      return .array(elements.compactMap { setting(value, at: path.dropFirst(), in: $0) })
    }
  }
}

/// What a rehearsal can't make by itself, or gets from the author.
public struct GivenAnswers: Sendable {
  /// Nil: the input is made from the workflow's schema and from what its expressions read.
  public var input: JSON?
  /// What steps answer, by their ids. The others are made.
  public var outputs: [String: JSON]

  public init(input: JSON? = nil, outputs: [String: JSON] = [:]) {
    self.input = input
    self.outputs = outputs
  }

  /// Makes the answers with which a saga begins.
  /// - Throws: `input.invalid` when the given input doesn't meet the schema; `rehearsal.noInput` when none can be made;
  ///   `rehearsal.badAnswers` when an answer names no step.
  func made(for definition: WorkflowDefinition, _ reads: WorkflowReads) throws(RehearsalError) -> Answers {
    for name in outputs.keys.sorted() where definition.step(name) == nil {
      let near = NearNames.nearest(to: name, among: definition.steps.map(\.id)).map { " (did you mean “\($0)”?)" } ?? ""
      throw RehearsalError(
        RehearsalErrorCode.badAnswers, "The answers name “\(name)”, and the workflow has no such step\(near).")
    }
    var made = Answers(input: try input(for: definition, reads), outputs: outputs)
    for step in definition.steps where made.outputs[step.id] == nil {
      made.outputs[step.id] = Self.output(of: step, reads)
    }
    for step in definition.steps {
      made.heads[step.id] = reads.sample(of: .answer(step.id))
      made.undoSignals[step.id] = step.undoSignal.map { Self.body(of: $0, reads.sample(of: .undoSignal(step.id))) }
    }
    for choice in reads.choices {
      guard case .undoSignal = choice.place.root else { continue }
      for case .copy(let other) in choice.values {
        made.comparisons.append(Answers.Comparison(place: choice.place, other: other))
      }
    }
    return made
  }

  private func input(for definition: WorkflowDefinition, _ reads: WorkflowReads) throws(RehearsalError) -> JSON {
    if let input {
      if let refusal = definition.refusal(ofInput: input) { throw RehearsalError(refusal.code, refusal.message) }
      return input
    }
    let read = reads.sample(of: .input)
    guard let schema = definition.inputSchema else { return read ?? .object([:]) }
    var refused: Refusal?
    // An input with every member is tried first. Members that the schema doesn't name are taken from the expressions.
    for isLeast in [false, true] {
      guard let example = SchemaExample.value(of: schema.source, named: "input", isLeast: isLeast) else { continue }
      for input in [Self.completed(example, by: read), example] {
        guard let refusal = definition.refusal(ofInput: input) else { return input }
        refused = refused ?? refusal
      }
    }
    let why = refused.map { " \($0.message)" } ?? ""
    throw RehearsalError(
      RehearsalErrorCode.noInput,
      "No input could be made from the schema of \(definition.name).\(why) Give one: --input FILE.")
  }

  private static func output(of step: Step, _ reads: WorkflowReads) -> JSON? {
    let read = reads.sample(of: .output(step.id))
    switch step.action {
    case .http, .kafka, .task, .workflow: return read ?? .object([:])
    case .signal(let signal): return body(of: signal, read)
    case .delay, .fail, .group: return nil
    }
  }

  /// Returns a body for a signal, from its schema and from what expressions read of it.
  private static func body(of signal: SignalAction, _ read: JSON?) -> JSON {
    let example = signal.schema.flatMap { SchemaExample.value(of: $0.source, named: signal.name) }
    let body = example.map { completed($0, by: read) } ?? read ?? .object([:])
    return [body, example ?? body].first { signal.schema?.takes($0) ?? true } ?? body
  }

  /// Adds the members that only the other value has.
  private static func completed(_ value: JSON, by other: JSON?) -> JSON {
    guard case .object(var members) = value, case .object(let more)? = other else { return value }
    for (name, value) in more {
      if let known = members[name] {
        members[name] = completed(known, by: value)
      } else {
        members[name] = value
      }
    }
    return .object(members)
  }
}

extension WorkflowSchema {
  /// Returns whether a value meets the schema. A schema that is not enforced takes everything.
  func takes(_ value: JSON) -> Bool {
    guard let compiled else { return true }
    return (try? compiled.validate(value).isValid) ?? false
  }
}
