import JSON

/// The answers of the people and instruments around the laboratory, one for each signal for which the shipped workflows,
/// or their undos, wait.
enum PersonalAnswer: String, Sendable, CaseIterable {
  case scanIn = "scan-in"
  case fragmentResult = "fragment-result"
  case customerDecision = "customer-decision"
  case approval
  case qpcrResult = "qpcr-result"
  case readyToLoad = "ready-to-load"
  case review
  case takenOut = "taken-out"
  case unloaded

  /// The name under which the engine's history has the sender.
  var sender: String {
    switch self {
    case .scanIn, .readyToLoad, .takenOut, .unloaded: "operator"
    case .fragmentResult, .qpcrResult: "instrument"
    case .customerDecision: "customer"
    case .approval, .review: "qa"
    }
  }

  /// Returns the body of the signal; nil when the saga does not have what the answer needs.
  /// - Parameters:
  ///   - saga: the saga, as `GET /v1/sagas/{id}` shows it.
  ///   - item: the key of the item that waits; nil when the whole step does.
  ///   - isRefusal: true for the verdict that no author hopes for: a refusal, a weak result, a scan at the wrong place.
  func body(for saga: JSON, item: String?, isRefusal: Bool) -> JSON? {
    let input = saga["input"]
    switch self {
    case .scanIn, .takenOut:
      guard let barcode = input?["barcode"], let place = output(of: "allocatePosition", in: saga)?["position"] else {
        return nil
      }
      return ["barcode": barcode, "position": isRefusal ? "elsewhere" : place]
    case .fragmentResult:
      guard let item else { return nil }
      return ["barcode": .string(item), "sizeBp": 480, "rin": isRefusal ? 2 : 9]
    case .customerDecision:
      guard let item else { return nil }
      return ["barcode": .string(item), "decision": isRefusal ? "cancel" : "proceed"]
    case .approval:
      guard let pool = input?["pool"] else { return nil }
      return ["pool": pool, "decision": isRefusal ? "refuse" : "approve"]
    case .qpcrResult:
      guard let pool = input?["pool"] else { return nil }
      return ["pool": pool, "nM": isRefusal ? 1 : 3.9]
    case .readyToLoad: return [:]
    case .review: return ["decision": isRefusal ? "refuse" : "deliver"]
    case .unloaded:
      guard let flowCell = input?["flowCell"] else { return nil }
      return ["flowCell": isRefusal ? "another" : flowCell]
    }
  }

  private func output(of step: String, in saga: JSON) -> JSON? {
    saga["steps"]?.arrayValue?.first { $0["id"]?.stringValue == step }?["output"]
  }
}
