/// The stable codes of this module's errors. Each has a page in `docs/errors/`.
public enum AuthoringErrorCode {
  public static let graphTooLarge = "graph.tooLarge"
}
