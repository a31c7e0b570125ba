public import JSON
import Values

extension OperatorVerb {
  /// All that the verb says, as it is stored with an operation and digested by a saga.
  public var json: JSON {
    var members: JSONObject = ["verb": .string(name.rawValue)]
    switch self {
    case .cancel, .compensate, .abandon, .pause, .resume: break
    case .retry(let step, let input):
      members["step"] = step.map(JSON.string)
      members["input"] = input
    case .resolve(let step, let resolution):
      members["step"] = .string(step)
      members["resolution"] = .string(resolution.word)
      if case .happened(let output) = resolution { members["output"] = output }
    case .skip(let step, let output):
      members["step"] = .string(step)
      members["output"] = output
    case .runNow(let step): members["step"] = step.map(JSON.string)
    case .extend(let step, let length):
      members["step"] = step.map(JSON.string)
      switch length {
      case .by(let duration): members["byMs"] = .int(Int(duration / .milliseconds(1)))
      case .until(let moment): members["until"] = .moment(moment)
      }
    case .rewind(let step): members["step"] = .string(step)
    }
    return .object(members)
  }

  /// - Returns: nil for what is no verb, or lacks what it needs.
  init?(json: JSON) {
    guard let name = json["verb"]?.stringValue.flatMap(Name.init(rawValue:)) else { return nil }
    let step = json["step"]?.stringValue
    switch (name, step) {
    case (.cancel, _): self = .cancel
    case (.compensate, _): self = .compensate
    case (.abandon, _): self = .abandon
    case (.pause, _): self = .pause
    case (.resume, _): self = .resume
    case (.retry, _): self = .retry(step: step, input: json["input"])
    case (.runNow, _): self = .runNow(step: step)
    case (.skip, let step?): self = .skip(step: step, output: json["output"])
    case (.rewind, let step?): self = .rewind(step: step)
    case (.extend, _):
      if let by = json["byMs"]?.intValue {
        self = .extend(step: step, .by(.milliseconds(by)))
      } else if let until = json["until"]?.stringValue.flatMap({ Timestamp($0) }) {
        self = .extend(step: step, .until(until))
      } else {
        return nil
      }
    case (.resolve, let step?):
      switch json["resolution"]?.stringValue {
      case "happened": self = .resolve(step: step, .happened(output: json["output"] ?? .null))
      case "didNotHappen": self = .resolve(step: step, .didNotHappen)
      case "undone": self = .resolve(step: step, .undone)
      default: return nil
      }
    case (.skip, nil), (.rewind, nil), (.resolve, nil): return nil
    }
  }
}
