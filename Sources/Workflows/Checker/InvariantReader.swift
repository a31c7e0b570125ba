import JSON
import Values

/// Reads the invariants of a workflow.
struct InvariantReader {
  let report: Report

  /// The most invariants of a workflow.
  static let most = 100

  /// - Returns: the invariants that could be read. Sagas don't run on them, so a stored definition without one of them
  ///   is still that definition.
  func invariants(in reader: ObjectReader, steps: [String]) -> [Invariant] {
    guard let texts = reader.texts("invariants") else { return [] }
    guard texts.count <= Self.most else {
      report.rule(
        WorkflowErrorCode.badInvariant,
        "\(texts.count) invariants are more than the \(Self.most) that a workflow may have",
        at: reader.pointer(to: "invariants"))
      return []
    }
    return texts.compactMap { text, pointer in
      do throws(InvariantMistake) {
        let invariant = try Invariant(text)
        for (step, place) in invariant.steps where !steps.contains(step) {
          report.rule(
            WorkflowErrorCode.unknownStep, "there is no step \"\(step)\"", at: pointer, .inside(place),
            near: NearNames.nearest(to: step, among: steps))
        }
        return invariant
      } catch {
        report.rule(
          WorkflowErrorCode.badInvariant, error.message, at: pointer, .inside(error.at), near: error.near)
        return nil
      }
    }
  }
}
