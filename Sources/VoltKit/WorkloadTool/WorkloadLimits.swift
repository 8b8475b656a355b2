/// The limits of everything that is asked of the tool of a kind.
public enum WorkloadLimits {
    /// How long `status` may take.
    public static let status = Duration.seconds(30)
    /// How long `list` may take.
    public static let list = Duration.seconds(60)
    /// How long `remove` may take.
    public static let remove = Duration.seconds(120)
    /// How long `apply --dry-run` may take, unless the caller has a limit of its own.
    public static let plan = Duration.seconds(60)
    /// How much longer than its own limit `apply` may take before it is killed: the tool keeps the limit itself and
    /// undoes what it did.
    public static let undo = Duration.seconds(30)
    /// How long a tool may take to end after it was asked to.
    public static let grace = Duration.seconds(20)
    /// The most bytes of the object that `status` prints.
    public static let statusBytes = 1 << 20
    /// The most bytes of the array that `list` prints.
    public static let listBytes = 16 << 20
    /// The most bytes of a line that is kept to say why a tool failed.
    public static let reasonBytes = 4 << 10
}
