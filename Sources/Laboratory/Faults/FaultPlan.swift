import JSON
import Values

/// Which faults strike, and how often each has. The first that fits a call strikes it.
public struct FaultPlan: Sendable {
  private struct Entry: Sendable {
    let fault: Fault
    var fitted = 0
    var struck = 0
  }
  private var entries: [Entry]

  public init(_ faults: [Fault] = []) { entries = faults.map { Entry(fault: $0) } }

  /// Reads faults as `--fault` takes them.
  public init(parsing texts: [String]) throws(Fault.ParseError) {
    var faults: [Fault] = []
    for text in texts { faults.append(try Fault(text)) }
    self.init(faults)
  }

  public var isEmpty: Bool { entries.isEmpty }

  mutating func add(_ faults: [Fault]) { entries += faults.map { Entry(fault: $0) } }

  /// What strikes a call, if anything does; counts it.
  /// - Parameter texts: what `match` looks at.
  mutating func strike(_ service: LabService, _ command: String, texts: [String]) -> Fault.Kind? {
    for index in entries.indices {
      let fault = entries[index].fault
      guard fault.service ?? service == service, fault.command ?? command == command,
        fault.match.map({ match in texts.contains { match.matches($0) } }) ?? true,
        fault.times.map({ entries[index].struck < $0 }) ?? true
      else { continue }
      entries[index].fitted += 1
      guard entries[index].fitted.isMultiple(of: fault.every) else { continue }
      entries[index].struck += 1
      return fault.kind
    }
    return nil
  }

  /// Each fault, how many calls fitted it, and how many it struck.
  var json: JSON {
    [
      "faults": .array(
        entries.map { ["fault": .string($0.fault.text), "fitted": .int($0.fitted), "struck": .int($0.struck)] })
    ]
  }
}
