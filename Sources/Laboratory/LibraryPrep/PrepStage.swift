/// A stage of library preparation. Each stage has a plate of its own, which a robot fills from the plate of the stage before.
enum PrepStage: String, Sendable, CaseIterable {
  /// The DNA is broken into fragments.
  case shearing
  /// Adapters are joined to the fragments.
  case ligation
  /// The fragments are copied and get their tags. The tags are spent.
  case pcr
  /// What was not copied is washed out.
  case cleanup = "clean-up"

  /// The stage before; nil for the first.
  var previous: PrepStage? {
    switch self {
    case .shearing: nil
    case .ligation: .shearing
    case .pcr: .ligation
    case .cleanup: .pcr
    }
  }
}

extension Fields {
  mutating func stage(_ name: String = "stage") -> PrepStage? {
    named(name, PrepStage.allCases.map(\.rawValue)) { PrepStage(rawValue: $0) }
  }
}
