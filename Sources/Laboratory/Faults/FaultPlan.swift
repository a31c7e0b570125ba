import JSON

/// The faults that are set, and how often each has applied. The first matching fault applies to a call.
public struct FaultPlan: Sendable {
  private struct Entry: Sendable {
    let fault: Fault
    var fitted = 0
    var struck = 0
  }
  private var entries: [Entry]

  public init(_ faults: [Fault] = []) { entries = faults.map { Entry(fault: $0) } }

  /// Reads faults in the syntax of `--fault`.
  public init(parsing texts: [String]) throws(Fault.ParseError) {
    var faults: [Fault] = []
    for text in texts { faults.append(try Fault(text)) }
    self.init(faults)
  }

  public var isEmpty: Bool { entries.isEmpty }

  mutating func add(_ faults: [Fault]) { entries += faults.map { Entry(fault: $0) } }

  /// Returns the fault that applies to a call, and counts it; nil when none does.
  /// - Parameter texts: the texts that `match` compares.
  mutating func strike(_ service: LabService, _ command: String, texts: [String]) -> Fault.Kind? {
    strike(texts) { !$0.isOfPeople && $0.service ?? service == service && $0.command ?? command == command }
  }

  /// Returns the fault that applies to a person's signal, and counts it; nil when none does.
  mutating func strike(person signal: String, texts: [String]) -> Fault.Kind? {
    strike(texts) { $0.isOfPeople && $0.command ?? signal == signal }
  }

  private mutating func strike(_ texts: [String], _ concerns: (Fault) -> Bool) -> Fault.Kind? {
    for index in entries.indices {
      let fault = entries[index].fault
      guard concerns(fault), fault.match.map({ match in texts.contains { match.matches($0) } }) ?? true,
        fault.times.map({ entries[index].struck < $0 }) ?? true
      else { continue }
      entries[index].fitted += 1
      guard entries[index].fitted.isMultiple(of: fault.every) else { continue }
      entries[index].struck += 1
      return fault.kind
    }
    return nil
  }

  /// Each fault with the number of calls that matched it and the number to which it applied.
  var json: JSON {
    [
      "faults": .array(
        entries.map { ["fault": .string($0.fault.text), "fitted": .int($0.fitted), "struck": .int($0.struck)] })
    ]
  }
}
