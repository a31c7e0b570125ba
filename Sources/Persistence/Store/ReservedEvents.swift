/// Names of events that belong to streams of the store's own, beside those of sagas or samples.
public enum ReservedEvents {
  /// The event publisher was rewound: it sends events again from an earlier position.
  public static let echoRewound = "echoRewound"
}
