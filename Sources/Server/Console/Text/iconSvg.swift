// `console/icon.svg`. A test holds the two together and, with RENEW_COPIES=1 in its environment, writes this file again.
extension ConsoleText {
  static let iconSvg = #"""
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#14532d"/><path d="M8 11h11a5 5 0 0 1 0 10H9" fill="none" stroke="#fff" stroke-width="3"/><path d="M13 16l-5 5 5 5" fill="none" stroke="#fff" stroke-width="3"/></svg>

    """#
}
