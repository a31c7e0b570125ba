import SagaCore
import Values
import WorkflowEngine

/// The answer that a person or a client got.
struct Answer: Sendable, CustomStringConvertible {
  enum Request: Sendable {
    case start(saga: Int, key: String?)
    case startWithOtherInput(saga: Int)
    case signal(number: Int, identity: String)
    case act(OperatorVerb, commandID: String?)
  }
  enum Result: Sendable {
    /// It is done; of a start, the saga, and of a signal, the word.
    case done(UniqueID?, String)
    case refused(String)
    /// No answer came, or one that leaves it open.
    case open(String)
  }
  let request: Request
  let saga: UniqueID?
  let by: String
  let result: Result

  var description: String { "\(by) \(request) → \(result)" }
}
