import Assets

/// The schema of the sagas' events, which the engine registers for their topic.
public enum SagaEventSchema {
  /// The file's path from the repository's root.
  static let path = "docs/schema/events/saga-event.v1.json"
  /// The schema as JSON text.
  public static var json: String { Assets.text(path) ?? "true" }
}
