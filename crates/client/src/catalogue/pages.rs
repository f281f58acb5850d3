//! The catalogue's entries.

use crate::Exit;

macro_rules! codes {
    ($( $name:ident = $number:literal, $slug:literal, $title:literal, $status:literal, $exit:ident, $page:literal; )*) => {
        /// One kind of error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code { $( #[doc = $title] $name = $number, )* }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &[Self] = &[ $( Self::$name, )* ];

            /// The code's number: 106 in `RLM-0106`.
            pub const fn number(self) -> u16 { self as u16 }

            /// Its name in addresses: `no-route`.
            pub const fn slug(self) -> &'static str {
                match self { $( Self::$name => $slug, )* }
            }

            /// What kind of error it is, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $( Self::$name => $title, )* }
            }

            /// HTTP status of a problem of this kind.
            pub const fn status(self) -> u16 {
                match self { $( Self::$name => $status, )* }
            }

            /// Exit code of a program that ends with it.
            pub const fn exit(self) -> Exit {
                match self { $( Self::$name => Exit::$exit, )* }
            }

            /// What it means and what helps: paragraphs, Markdown.
            pub const fn page(self) -> &'static str {
                match self { $( Self::$name => $page, )* }
            }
        }
    };
}

codes! {
    NoRoute = 101, "no-route", "No way leads to the realm", 502, RealmUnreachable,
        "No link of this realm, or of a realm on the way, leads closer to the destination. \
        Between two trees there is a way only where both roots signed a peering; inside a \
        tree, only along parents and children.\n\n\
        See what is connected: `realmctl realm tree` and `realmctl peer ls`. If the other \
        organisation is not peered yet, exchange an invitation: `realmctl invite --peer` \
        there, `realmctl join -` here.";
    Offline = 102, "offline", "The realm is known and not connected", 503, RealmUnreachable,
        "The destination, or the last realm before it, is certified and has no live link. Its \
        daemon is down, its machine is off, or the network between is cut. A child dials its \
        parent, so the parent can only wait.\n\n\
        Check on the machine that should be connected: `realmctl status`, then `realmctl \
        doctor`. The call was not kept; ask again under the same idempotency key.";
    Expired = 103, "expired", "Past its time", 504, Timeout,
        "The message, the idempotency key or the deadline was past its time when it arrived. \
        Messages live ten minutes at most, idempotency keys seven days.\n\n\
        If it happens to fresh messages, a clock is wrong: `realmctl doctor` compares it with \
        the parent's and the peers'.";
    HopLimit = 104, "hop-limit", "Too many hops", 502, RealmUnreachable,
        "The message passed more realms than the deepest tree needs. Every hop must bring a \
        message closer, so this is a fault of a realm on the way; its trace names it.";
    Overloaded = 105, "overloaded", "A bound is reached", 503, Other,
        "This realm, one on the way, or the destination is at one of its limits: runs of a \
        loop, calls in flight, messages a second, bytes waiting. Nothing was done. The answer \
        says when to try again; calls to other realms are retried by themselves inside their \
        deadline.\n\n\
        `realmctl run ls --status running` shows what is under way. How often a loop may run at \
        once is `limits.concurrency` in its definition; how many calls a realm takes is \
        `limits.max_calls` in its `realm.toml`.";
    Denied = 106, "denied", "Policy does not permit it", 403, Denied,
        "Every realm on the way and the destination decide by their own policy; one of them did \
        not permit it. What nothing permits is denied.\n\n\
        The error carries a reference. The operator of the realm that decided runs `realmctl \
        policy why REFERENCE` there; it names the policies and prints the `allow` command that \
        would permit the call.";
    TooLarge = 107, "too-large", "Larger than allowed", 413, Schema,
        "A header, a body or an answer is larger than the protocol or the receiver allows. \
        Bodies are 64 KiB at most in this version. Send a reference instead of the data, or \
        split the input.";
    BadCertificate = 108, "bad-certificate", "A certificate is wrong, expired or revoked", 403, Denied,
        "A realm's chain of certificates did not hold: wrong signature, expired, or revoked by \
        a realm above it. A child renews its certificate from its parent by itself while the \
        two can talk; after two weeks without contact it must be invited again.\n\n\
        `realmctl realm show NAME` prints the chain with its dates, `realmctl doctor` names \
        what is about to expire.";
    UnknownKey = 109, "unknown-key", "Sealed to a key its receiver no longer has", 409, Other,
        "Receiving keys change every day, and when a realm is restored from a backup. The \
        sender fetches the new key and seals again by itself; if this reaches you, that failed \
        too. Ask again under the same idempotency key.";
    VersionMismatch = 110, "version-mismatch", "The receiver does not speak this version", 502, Other,
        "A message needs a wire version, a message kind or a field that its receiver does not \
        know. `realmctl info` shows which versions a daemon speaks. Bring the older side up to \
        date.";
    SchemaInput = 111, "schema-input", "The input does not match the schema", 400, Schema,
        "The loop's input schema refuses the input; the details say where. Both the caller's \
        realm and the loop's realm check, so nothing ran.\n\n\
        `realmctl loop show LOOP --example` prints an input to fill in.";
    SchemaOutput = 112, "schema-output", "The output does not match the schema", 502, Schema,
        "The loop ran, and what it gave does not match its own output schema. The loop is at \
        fault, not the call. `realmctl trace show RUN` shows what it gave, at the realm that \
        ran it.";
    LoopNotFound = 113, "loop-not-found", "No such loop", 404, NotFound,
        "The realm has no loop of that name and version, or none that you may see: hidden and \
        absent look alike.\n\n\
        `realmctl loop ls @REALM` lists the loops you may see there.";
    LoopFailed = 114, "loop-failed", "The loop ran and failed", 502, LoopFailed,
        "The backend behind the loop answered with an error, ended badly, or answered too much. \
        The trace at the realm that ran it has the details: `realmctl trace show RUN`.";
    Budget = 115, "budget", "A budget is used up", 429, LoopFailed,
        "The call, with everything it called in turn, used up its time, its depth (32 calls \
        below one another) or its frames. A loop that calls itself without end looks like \
        this.";
    Halted = 116, "halted", "The realm is halted", 503, Halted,
        "The realm's owner, or the owner of a realm above it, has stopped it, or the loop. Nothing \
        begins, and what ran stands still, until that is taken back: `realmctl halt --show` tells \
        who said it and why, `realmctl unhalt` lets everything go on.";
    Cancelled = 117, "cancelled", "The call was cancelled", 409, Other,
        "The caller, or somebody with the right, took the call back. What ran before that is in \
        the trace: `realmctl trace show RUN`.";
    Malformed = 118, "malformed", "Not well-formed", 400, Other,
        "A realm sent bytes that are not what the protocol says. The message was refused and \
        counted. Two versions that do not fit, or a damaged line, look like this; `realmctl \
        status` shows the counters.";
    KeyReused = 119, "key-reused", "The idempotency key belongs to another call", 409, Usage,
        "The key was used before, with another loop, version or input. A key stands for one \
        request: make a new one for a new request.";
    Timeout = 120, "timeout", "The loop did not answer in time", 504, Timeout,
        "The loop was still running when its time was up, and was cancelled. Give it more with \
        `--timeout`, or raise `limits.timeout` in its definition; the shorter of the two \
        counts.";
    StoreFailed = 121, "store-failed", "The promise could not be made durable", 500, Other,
        "The realm could not write to its disk, so it did not promise anything. A full or \
        failing disk: `realmctl doctor` there.";
    TooFewBids = 122, "too-few-bids", "Too few bids", 409, Bids,
        "Fewer realms offered to do the work than were asked for. `realmctl trace show RUN` says who \
        was asked and which bids did not count. Ask more realms (`--scope`), pay more \
        (`--max-price`), or be content with fewer (`--min-bids`). A realm bids only if a loop there \
        has this name, or the capabilities that are asked for, and these schemas, says how it bids \
        (`bid:`), and may be called by this realm.";
    TooFewResults = 123, "too-few-results", "Too few results", 502, LoopFailed,
        "Bids won, and fewer of the winners gave a valid result than were asked for. `realmctl trace \
        show RUN` says what became of each slot.";
    NoConsensus = 124, "no-consensus", "No consensus", 502, LoopFailed,
        "Results were there, and no value is that of the share of them that was asked for, or two are \
        that of as many. `realmctl trace show RUN` says what became of each slot.";
    NoQuorum = 125, "no-quorum", "No quorum", 502, LoopFailed,
        "Results were there, and no value is that of the share of all winners that was asked for; \
        who is silent or has failed counts as a winner. `realmctl trace show RUN` says what became of \
        each slot.";
    NotAggregated = 126, "not-aggregated", "Results that cannot be made one", 502, LoopFailed,
        "A result lacks the member that is compared or counted, or is not of the form that the \
        aggregation needs: an object to be merged, a number to be added. Or the loop that makes one of \
        them has failed. `realmctl trace show RUN` says what became of each slot.";
    ConfigSyntax = 201, "config-syntax", "The configuration is not TOML", 422, Configuration,
        "`realm.toml` could not be read. The message has the file, the line and the column. \
        `realmd check` reads it without starting anything.";
    ConfigUnknownKey = 202, "config-unknown-key", "The configuration has an unknown key", 422, Configuration,
        "A key is misspelt, stands in the wrong section, or belongs to another version. Unknown \
        keys are refused so that a misspelt limit is never ignored. `realmctl config schema` \
        prints all keys.";
    ConfigValue = 203, "config-value", "A value of the configuration is wrong", 422, Configuration,
        "A value has the wrong type or lies outside its range. `realmctl config explain KEY` \
        says what the key means and takes.";
    HomeInvalid = 204, "home-invalid", "The folder is no realm's home", 422, Configuration,
        "A home holds `realm.toml`, `keys/` and `data/`. `realmctl init NAME` makes one; \
        `--home DIR` names another.";
    HomePermissions = 205, "home-permissions", "A private file can be read by others", 422, Configuration,
        "Keys and the socket's folder belong to their owner alone. The message names the file \
        and the `chmod` that helps.";
    KeysInvalid = 206, "keys-invalid", "The keys cannot be used", 422, Configuration,
        "A key file is missing, damaged, or does not belong to this realm. Without its keys a \
        realm cannot prove who it is; take them from your backup of the keys.";
    KeysLocked = 207, "keys-locked", "The keys need their passphrase", 422, Configuration,
        "The key files are wrapped under a passphrase, and it was not given, or another one was. It \
        comes from `--passphrase-file FILE`, from the systemd credential `realm-passphrase`, or from \
        whoever sits at the terminal. Without it, and without a copy of the keys that is not \
        wrapped, the recovery key is the only way to take the realm back.";
    KeysSuperseded = 208, "keys-superseded", "The keys have been succeeded", 409, Configuration,
        "The realm's store, or a neighbour, has seen a later key of this realm than `keys/` holds. \
        That happens when `keys/` comes from an old backup. Put the newest records and keys back; a \
        key that has been succeeded never counts again.";
    DefinitionSyntax = 301, "definition-syntax", "A definition is not YAML or JSON", 422, Configuration,
        "The file could not be read. The message has the file, the line and the column. Nothing \
        was applied.";
    DefinitionRule = 302, "definition-rule", "A definition breaks a rule", 422, Configuration,
        "The file breaks a rule of its format; each fault names file, line, column, rule and \
        what helps. Nothing was applied. `realmctl validate FILE` checks without applying, \
        `realmctl explain loop.FIELD` explains a field.";
    DefinitionReference = 303, "definition-reference", "A definition refers to what is not there", 422, Configuration,
        "A `$file`, a `$ref` or a step names something that does not exist. A `$file` is looked \
        up beside the file that names it, and must lie below the same folder.";
    DefinitionSchema = 304, "definition-schema", "A schema cannot be used", 422, Configuration,
        "An input or output schema is no valid JSON Schema, is larger than 64 KiB, or has a \
        `$ref` that leaves the document.";
    DefinitionTooMany = 305, "definition-too-many", "Too many loops", 413, Configuration,
        "A realm registers 4,096 loops at most. Remove some with `realmctl loop rm`, or move \
        some to a child realm.";
    DefinitionFormat = 306, "definition-format", "The format is not known", 422, Configuration,
        "The file is neither our own form nor one that can be imported in this version. \
        `realmctl explain loop` shows our own.";
    DefinitionNeeded = 307, "definition-needed", "Another loop needs it", 409, Configuration,
        "A step of another loop calls what would be removed, and would find it no longer, or not in \
        the version that its `loopVersion` asks for. Nothing was changed. Change or remove those \
        loops first, or in the same `realmctl apply`; with `--force` they stay, and their steps \
        fail.";
    DefinitionBreaks = 308, "definition-breaks", "A version would break its own contract", 409, Configuration,
        "The definition keeps its version and changes its contract so that callers who rely on that \
        version may stop working; each fault names the place, what was and what is. What cannot be \
        decided counts as breaking. Nothing was applied.\n\n\
        Give it the version that is named, so that callers choose when they move, or leave the \
        contract as it was. With `--force` the version breaks its callers.";
    PolicySyntax = 401, "policy-syntax", "A policy is not Cedar", 422, Configuration,
        "The text could not be parsed, or names entities and actions that do not exist here. \
        `docs/policies.md` lists both. \
        `realmctl policy check FILE` checks without adding.";
    PolicyUnknown = 402, "policy-unknown", "No such policy", 404, NotFound,
        "`realmctl policy ls` prints the policies with their ids.";
    PolicyCaller = 403, "policy-caller", "The caller is not known here", 404, NotFound,
        "A caller goes by the name of its root on this machine, then labels: `acme/health`. A \
        root gets its name when it is peered: `realmctl invite --peer`, `realmctl join -`.";
    PolicyPattern = 404, "policy-pattern", "Not a loop or pattern", 400, Usage,
        "A loop goes by its id; `*` stands for any characters: `report-*`. The realm is always \
        this one.";
    PolicyOutsidePeering = 405, "policy-outside-peering", "The peering does not reach that far", 409, Denied,
        "The caller lies outside what the peering lets through, so the permission would never \
        take effect. Widen the peering with a new invitation: `realmctl invite --peer`.";
    DenialUnknown = 406, "denial-unknown", "No such denial", 404, NotFound,
        "References are kept where the decision was made, and for seven days. The error of the \
        call names the realm that decided; run `realmctl policy why` there.";
    PetnamePinned = 407, "petname-pinned", "The name belongs to another root", 409, Denied,
        "A name, once given to a root, stays with that root's key. A different key under the \
        same name is a mistake or an attack. If the other organisation really began anew, take \
        the old peering off first: `realmctl peer rm NAME`.";
    DaemonNotRunning = 501, "daemon-not-running", "The daemon is not running", 503, Unreachable,
        "There is no socket in the realm's home. Start the daemon: `realmd run NAME`.";
    DaemonStale = 502, "daemon-stale", "A socket was left by a crash", 503, Unreachable,
        "The socket is there and nobody answers: the daemon ended without tidying up. Start it \
        again, `realmd run NAME`; it replaces the socket. The journal lost nothing that was \
        promised.";
    DaemonPermission = 503, "daemon-permission", "The socket belongs to somebody else", 403, Unreachable,
        "Only the user that runs the daemon may speak to it. Run the command as that user.";
    DaemonProtocol = 504, "daemon-protocol", "The answer is not understood", 502, Unreachable,
        "Something answered, and not as the daemon would. The versions of `realmctl` and \
        `realmd` may be far apart: `realmctl version`, `realmd version`.";
    DaemonTimeout = 505, "daemon-timeout", "The daemon did not answer in time", 504, Timeout,
        "The daemon took the request and did not answer inside `--timeout`. What it was asked \
        may still be done; `realmctl run ls` shows calls.";
    RealmUnnamed = 506, "realm-unnamed", "Several realms, and none is named", 400, Usage,
        "More than one realm has its home on this machine. Name one with `-r NAME`, \
        `REALM_HOME`, or for good with `realmctl ctx use NAME`.";
    RealmUnknown = 507, "realm-unknown", "No realm of that name here", 404, NotFound,
        "`realmctl ctx ls` prints the realms with a home on this machine; `realmctl init NAME` \
        makes a new one.";
    HomeLocked = 508, "home-locked", "Another daemon runs on this home", 409, Configuration,
        "A home serves one daemon. The message has the process id of the one that holds the \
        lock.";
    AddressInUse = 509, "address-in-use", "The address is in use", 409, Configuration,
        "Another program listens on the port. Choose another one: `listen` in `realm.toml`, or \
        `realmd run --listen`.";
    Usage = 510, "usage", "Wrong arguments", 400, Usage,
        "The command line is not understood. `--help` after any command prints what it takes.";
    RequestInvalid = 511, "request-invalid", "The request is not understood", 400, Usage,
        "A member is missing, unknown, or has the wrong type; the errors name it.";
    NotFound = 512, "not-found", "No such thing", 404, NotFound,
        "Nothing of that name is here. The list command of the same noun shows what is.";
    MethodNotAllowed = 513, "method-not-allowed", "The route does not take this method", 405, Other,
        "`realmd openapi` prints the routes with their methods.";
    RequestTooLarge = 514, "request-too-large", "The request is too large", 413, Usage,
        "Requests to the local API are bounded. Send fewer files at once.";
    TooManyRequests = 515, "too-many-requests", "Too many requests at once", 429, Other,
        "The local API works on a bounded number of requests at once. Try again.";
    Internal = 516, "internal", "A fault of the daemon", 500, Other,
        "This should not have happened. The daemon's log has more under the same trace id.";
    FileUnreadable = 517, "file-unreadable", "A file cannot be read", 400, Other,
        "The message names the file and why: it does not exist, it belongs to somebody else, or \
        it is larger than allowed.";
    ProgramMissing = 518, "program-missing", "A program is missing", 500, Other,
        "`realmctl` runs the `realmd` that lies beside it, or else the one on the PATH. Install \
        both.";
    ConfirmationNeeded = 519, "confirmation-needed", "It must be confirmed", 400, Usage,
        "The command takes something away for good and there is no terminal to ask at. Add \
        `--yes`.";
    ShuttingDown = 520, "shutting-down", "The daemon is shutting down", 503, Unreachable,
        "It takes no new work, and finishes what it has. Try again once it runs.";
    Unsupported = 521, "unsupported", "Not in this version", 501, Usage,
        "The command or route has its place, and this version does not do it yet.";
    NotReady = 522, "not-ready", "The realm cannot serve calls yet", 503, RealmUnreachable,
        "It is starting, or its store failed. `realmctl doctor` says which.";
    TraceTooLong = 523, "trace-too-long", "The trace is too long", 413, Other,
        "Trees, lists, exports and comparisons of a run hold its whole trace, and this one has more \
        events than that is done for. `realmctl run show RUN --watch` and the API's `events` and \
        `trace?cursor=` give it piece by piece.";
    TokenMissing = 524, "token-missing", "The token is missing or wrong", 401, Denied,
        "The local API over TCP answers whoever shows the token of the realm: the file \
        `keys/http.token` in its home, as `Authorization: Bearer TOKEN`. `realmctl` needs none at the \
        socket; with `--url` it shows what `realmctl login` got.";
    OriginRefused = 525, "origin-refused", "Not for pages of others", 403, Denied,
        "A request over TCP named another host than the one that is listened on, or came from a page \
        of another origin. Programs ask http://127.0.0.1:PORT and send no Origin.";
    RoleMissing = 526, "role-missing", "Somebody else has to do this", 403, Denied,
        "Who a person is, and what they may do, stands under `[people]` in the realm's configuration:         viewers read, operators run loops, approvers approve what asks for a person, owners do everything. A         call may also ask that it is approved by somebody else than who asked for it, or by several people.         `realmctl approval show ID` says who may.";
    SignInRefused = 527, "sign-in-refused", "Nobody was let in", 401, Denied,
        "The directory knows no such name with that password, the provider lets the person in no more, or none of \
        the person's groups has a role in this realm: `[groups]` in its configuration gives them. After five times \
        in vain a name waits for five minutes. `realmctl audit ls --action person.` tells who tried.";
    DirectoryUnavailable = 528, "directory-unavailable", "Who people are cannot be asked", 503, Other,
        "What people of a directory or a provider may do is read again every minute, and nothing is done for them while that \
        cannot be known. `realmctl doctor` says what is wrong with it. People whom the configuration names, and \
        the owner, are let in all the same.";
    SignInOver = 529, "sign-in-over", "The code is good no more", 410, Denied,
        "Nobody entered the code of a sign-in in time, somebody has signed in by it already, or the daemon was started \
        again since. `realmctl login` begins another.";
    TicketMalformed = 601, "ticket-malformed", "Not a ticket", 400, Usage,
        "A ticket is one line that begins with `realm-ticket-v1:`. Something was cut off or \
        changed on the way; copy the whole line again.";
    TicketChecksum = 602, "ticket-checksum", "The ticket is damaged", 400, Usage,
        "The ticket's checksum does not fit: a character was changed or lost on the way. Copy \
        the whole line again.";
    TicketVersion = 603, "ticket-version", "The ticket is of another version", 400, Usage,
        "The ticket was made by a version that this one does not understand. Bring the older \
        side up to date.";
    TicketExpired = 604, "ticket-expired", "The ticket has expired", 410, Denied,
        "Tickets are good for a day unless made otherwise. Ask for a new one: `realmctl invite \
        LABEL` there.";
    TicketUsed = 605, "ticket-used", "The ticket is used up, or was never given out", 410, Denied,
        "A ticket is good for one use unless made otherwise. The inviter does not say whether \
        it was used or never existed. Ask for a new one.";
    JoinUnreachable = 606, "join-unreachable", "The inviter cannot be reached", 502, RealmUnreachable,
        "None of the addresses in the ticket answered. `realmctl ticket show -` prints them. \
        The inviter's daemon must run, and its port must be open from here; an inviter behind \
        NAT sets `advertise` in its `realm.toml`.";
    JoinRefused = 607, "join-refused", "The inviter refused", 403, Denied,
        "The inviter was reached and did not admit this realm: the label is taken, it has too \
        many children, or its policy forbids it.";
    JoinAlready = 608, "join-already", "The realm has a place already", 409, Usage,
        "This realm is a child already, or holds children and cannot move below another without \
        them. `realmctl status` shows where it stands.";
    InviteLabel = 609, "invite-label", "The label cannot be used", 400, Usage,
        "Labels are lower-case letters, digits and hyphens, up to 63; a label that another \
        child holds cannot be given again before that child is revoked.";
    InviteTooMany = 610, "invite-too-many", "Too many open invitations", 429, Other,
        "A realm holds 256 open invitations, 4,096 children and 1,024 peerings at most. Let \
        some expire.";
    InviteNotRoot = 611, "invite-not-root", "Only roots are peered", 409, Usage,
        "Peerings are between roots; realms below reach each other through them. Run `realmctl \
        invite --peer` at the root of this tree.";
    ClockSkew = 612, "clock-skew", "The clock is wrong", 409, Configuration,
        "This machine's clock is more than five minutes from its parent's or peers'. Nothing is \
        certified meanwhile. Set the clock; `realmctl doctor` shows the difference.";
    GrantRefused = 613, "grant-refused", "The grant is refused", 409, Denied,
        "A grant is one line that begins with `realm-grant-v1:`. It names who may use it: no other realm can \
        take it. What is handed on of a grant never gives more than the grant does: no other loops, no more uses, \
        no larger budget, no longer time. `realmctl grant ls` shows what this realm has given and holds.";
    StoreLocked = 701, "store-locked", "The store is in use", 409, Configuration,
        "Another process has the store open, most likely a running daemon. Stop it, or ask it: \
        `realmctl status`.";
    StoreNewer = 702, "store-newer", "The store was written by a newer version", 409, Configuration,
        "An older version never touches a newer store. Bring this one up to date, or restore a \
        backup made before.";
    StoreCorrupt = 703, "store-corrupt", "The store is damaged", 500, Other,
        "Checksums do not fit. Stop the daemon, run `realmd store check`, and restore the last \
        backup into a new home: `realmd restore FILE`.";
    StoreWrongKey = 704, "store-wrong-key", "The store belongs to another key", 409, Configuration,
        "The store was sealed with a key that is not in this home's `keys/`. Bring the two \
        together as they were.";
    StoreWrite = 705, "store-write", "A write failed", 500, Other,
        "The disk is full or failing. The realm promises nothing any more until it is started \
        again on a disk that works. What was promised before is there.";
    BackupExists = 706, "backup-exists", "The file exists", 409, Usage,
        "A backup never writes over a file. Name another.";
    RestoreNotEmpty = 707, "restore-not-empty", "The folder is not empty", 409, Usage,
        "A backup is restored into a new home only, so that nothing is mixed.";
    BackupInvalid = 708, "backup-invalid", "Not a backup, or a damaged one", 422, Other,
        "The file is no backup of a realm, or was cut or changed. Nothing was restored.";
    StoreEngine = 709, "store-engine", "The store is kept by another engine", 409, Configuration,
        "`store.engine` names one engine, and the store's files are another's, or the program was \
        built without it. Stop the daemon and move the store: `realmd store migrate --to ENGINE`; \
        or let `store.engine` name the engine that keeps it.";
    StoreOlder = 710, "store-older", "The store is too old", 409, Configuration,
        "No step leads from the store's format to this version's. Open it with a version in \
        between first.";
    AgentLoop = 901, "agent-loop", "The loop is not this agent's", 409, Denied,
        "An attached agent serves loops whose definition names it: `tool: {implementation: attached, \
        config: {agent: NAME}}`, NAME being what it calls itself, or what the loop is called where \
        the definition names nobody. It registers no loop that is there already and is somebody \
        else's.\n\n\
        `realmctl agent ls` says whose each loop is. Attach under that name, serve the loop under \
        another id, or remove it first: `realmctl loop rm LOOP`.";
}
