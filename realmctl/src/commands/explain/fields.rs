//! The fields of a loop's definition.

/// One field.
pub(super) struct Field {
    /// Its place: `loop.limits.timeout`.
    pub(super) path: &'static str,
    /// What it is.
    pub(super) title: &'static str,
    /// What it means.
    pub(super) meaning: &'static str,
    /// What stands there.
    pub(super) takes: &'static str,
}

macro_rules! fields {
    ($( $path:literal: $title:literal, $meaning:literal, $takes:literal; )*) => {
        /// All fields, by place.
        pub(super) const FIELDS: &[Field] = &[ $( Field {
            path: $path,
            title: $title,
            meaning: $meaning,
            takes: $takes,
        }, )* ];
    };
}

fields! {
    "loop": "a definition",
        "What is called: a contract and a way to run it. YAML or JSON; `realmctl new loop ID` writes one that works.",
        "an object";
    "loop.id": "its name",
        "How callers address it: id@realm/path.",
        "1 to 128 of letters, digits and ._:/-";
    "loop.version": "its version",
        "Rises with every change; callers may ask for one.",
        "a semantic version: 1.2.0";
    "loop.aliases": "its other names",
        "Calls by one of them reach the loop; traces and policies know it by its id alone.",
        "a list of ids that no other loop has, 8 at most";
    "loop.capabilities": "what it can do",
        "Announced work that names capabilities is offered to loops that have all of them, whatever they are called.",
        "a list of dotted names, 16 at most: [speech.transcribe]";
    "loop.needs": "what it needs grants for",
        "Calls that a run of it makes of these loops go by a grant that this realm holds, made out for that run alone. What is not named here goes by no grant.",
        "a list of loops of other realms, 32 at most: [review@lab, \"billing/*@lab\"]";
    "loop.bid": "how it bids for announced work",
        "Figures are fixed or CEL over the announcement; with `ask`, another loop of the realm says them. A budget bounds a day.",
        "{price: EUR 0.02, time: 2s, confidence: 0.9, when: \"load < 0.8\", budget: EUR 5} or {ask: LOOP, within: 1s}";
    "loop.kind": "how it runs",
        "A prompt asks a model, a composite calls other loops step by step, a machine calls one again and again, a tool runs code, a broadcast announces the work to whoever bids for it, a route hands it to the first of several loops that takes it.",
        "prompt, composite, machine, tool, broadcast or route";
    "loop.approval": "who approves before it begins",
        "Nothing of a call begins before people have approved exactly that call; the run waits, over restarts. Steps and tools of models may say so too.",
        "an object with role, count, distinctFromRequester, expires, escalate, when, above; {} for one approver";
    "loop.asks": "whom it may ask while it is at work",
        "For tools that are programs, addresses, containers or attached, with effects. They get {input, answers} and answer {output}, or {ask: {question, about}}: the run waits for people, over restarts, and the tool begins anew with what they have said.",
        "an object with role, count, distinctFromRequester, expires, escalate, as in loop.approval; {} for one approver";
    "loop.approval.role": "the role of those who approve",
        "Owners always may.",
        "operator, approver or owner; approver unless told";
    "loop.approval.count": "how many people",
        "Different ones.",
        "a number from 1 to 8; 1 unless told";
    "loop.approval.distinctFromRequester": "whether the requester may approve",
        "Whoever asked for the work on this machine is none of those who approve it.",
        "true or false; false unless told";
    "loop.approval.expires": "how long people have",
        "Afterwards the call fails with Denied; an approval is good for no longer either.",
        "a duration; 24h unless told";
    "loop.approval.escalate": "who may approve as well, later",
        "Once nobody has for that long.",
        "{after, role}; role is owner unless told";
    "loop.approval.when": "which calls need it",
        "CEL over the call's input. What cannot be told needs it.",
        "a condition: \"input.amount > 100\"";
    "loop.approval.above": "how much may be used before anybody is asked",
        "Instead of before the call begins, people are asked before the one in it, or below it, that could make it use more.",
        "an object with money, tokens or both: {money: EUR 0.50}";
    "loop.approval.forward": "whether the callee is told",
        "Of a step that calls another realm: who approved goes along, so that a policy there can count them.",
        "true or false; false unless told";
    "loop.retry": "what is tried again",
        "Of the loop's own work. What may have been done and counts each time is never tried again.",
        "an object with attempts; backoff, delay, maxDelay and on where they differ";
    "loop.retry.attempts": "how often in all",
        "The first attempt counts.",
        "a number from 1 to 100";
    "loop.retry.backoff": "how the pause grows",
        "Between half of the pause and all of it is waited.",
        "exponential, linear or fixed; exponential unless told";
    "loop.retry.delay": "the pause after the first attempt",
        "Grows by backoff up to maxDelay.",
        "a duration; 1s unless told, maxDelay 60s";
    "loop.retry.on": "which failures are worth it",
        "By category: what the failure says about trying again.",
        "a list of transient, validation, business, permission, unknown; transient unless told";
    "loop.description": "what it is for",
        "One sentence, for people and for models that choose among loops.",
        "text";
    "loop.inputSchema": "what it takes",
        "Input is checked against it in the caller's realm and again where the loop runs.",
        "a JSON Schema, or {$file: in.json} beside the definition; $ref stays inside the document; 64 KiB at most";
    "loop.outputSchema": "what it gives",
        "Output is checked against it where the loop runs and again in the caller's realm.",
        "as inputSchema";
    "loop.effects": "what it changes in the world",
        "Decides what may be repeated: none may always, idempotent under the same key, once never.",
        "none, idempotent or once; unless told: prompts idempotent, tools once, composites the strongest of their steps";
    "loop.limits": "its bounds",
        "The caller's bounds count as well; the tighter of the two wins.",
        "an object";
    "loop.limits.timeout": "how long it may run",
        "At the end of its time it is cancelled and fails with Timeout.",
        "a duration: 500ms, 30s, 2m";
    "loop.limits.concurrency": "how many at once",
        "More calls at once are answered Overloaded.",
        "a number";
    "loop.budget": "what a run of it may use",
        "With all that it calls. A call that could use more than is left is not made, and the run fails with Budget; the caller's budget counts as well, and the tighter of the two wins.",
        "an object";
    "loop.budget.money": "what a run of it may cost",
        "Before a model is asked, the most that its answer can cost is set aside; a backend without a price is not asked.",
        "a currency and a number: EUR 0.50";
    "loop.budget.tokens": "how many tokens a run of it may take",
        "Read and written, by every model that it asks.",
        "a number";
    "loop.budget.calls": "how often it may ask somebody",
        "Models, tools, other realms and bidders, each attempt counted.",
        "a number";
    "loop.prompt": "what a prompt asks",
        "For kind prompt.",
        "an object";
    "loop.prompt.template": "the text",
        "{{name}} is filled from the input, only where name is listed in variables, and never twice.",
        "text";
    "loop.prompt.systemPrompt": "the model's role",
        "Goes to the model before the template.",
        "text";
    "loop.prompt.variables": "what is filled",
        "Names of input members that the template may use.",
        "a list of names";
    "loop.prompt.tools": "loops that the model may call",
        "Each has the name that the model knows it by; what it is for and what it takes are the loop's own words where it is one of this realm's.",
        "a list of {name, loopId, loopVersion, digest, description, inputSchema, timeout, retry, budget, approval}, 64 at most";
    "loop.prompt.tools.digest": "a loop of another realm as it was approved",
        "SHA-256 of its name, description and contract. One without it, or that is no longer that, is not called; realmctl tool approve writes it.",
        "52 letters and digits";
    "loop.prompt.maxTurns": "how often the model may answer with calls",
        "One more ends the prompt.",
        "1 to 64; 8 unless told";
    "loop.backend": "who answers a prompt",
        "For kind prompt.",
        "an object";
    "loop.backend.id": "which backend",
        "mock answers by rules, without a model; realm.toml makes others, and `realmctl backend ls` lists them.",
        "mock, or the id of a backend";
    "loop.backend.model": "which model",
        "Passed on to the backend.",
        "text";
    "loop.composite": "what a composite calls",
        "For kind composite.",
        "an object";
    "loop.composite.steps": "the calls",
        "Run in order; the output of the last one that ran is the output. Each calls a loop, has parallel steps, or a wait.",
        "a list of {loopId, loopVersion, inputMapping, outputBinding, when, forEach, retry, timeout, fallback, approval}, {parallel}, {wait}; loopId may be loop@realm/path";
    "loop.composite.steps.when": "when a step runs",
        "CEL over input, steps and what steps before it bind. A step that does not run has the output null.",
        "an expression: input.amount > 100.0 && risk.level == 'high'";
    "loop.composite.steps.forEach": "one call for each item",
        "The output lists the outputs, in order. The mapping sees $.item and $.index.",
        "$.path of a list, or {items, concurrency, onFailure: stop | keep}";
    "loop.composite.steps.parallel": "steps side by side",
        "Each calls a loop. The output lists their outputs, in order; the first failure stops the others.",
        "a list of steps";
    "loop.composite.steps.wait": "a pause",
        "Goes on over restarts, and runs out while no daemon is there.",
        "a duration: 10m, 3d; 30d at most";
    "loop.composite.steps.retry": "what is tried again",
        "As loop.retry, over what the called loop says.",
        "as loop.retry";
    "loop.composite.steps.timeout": "how long one attempt may take",
        "The called loop's own limit counts as well.",
        "a duration";
    "loop.composite.steps.budget": "what each call may use",
        "With all its attempts and all that it causes; the called loop's own budget counts as well.",
        "as loop.budget";
    "loop.composite.steps.fallback": "who is called instead",
        "With the same input, when the call has failed for good.",
        "{loopId, loopVersion}";
    "loop.machine": "the loop of a state machine",
        "For kind machine. Called with its last state until it answers {complete: output}; {continue: state} goes on.",
        "{loopId, loopVersion, maxSteps, retry, timeout, budget, approval}";
    "loop.state": "what its calls are given of what their agent keeps",
        "For tools that are programs, addresses, containers or attached, with effects. They get {input, state} and answer {output, state}; changes are kept with the outcome, or not at all.",
        "{agent, keys}";
    "loop.state.agent": "whose state",
        "Loops that name one agent share its state, which goes with the last of them.",
        "a name; the attached agent's, or the loop's own, unless told";
    "loop.state.keys": "which values",
        "A member of the input may stand in a key: visits/{{customer}}.",
        "1 to 16 keys of letters, digits and ._/-";
    "loop.tool": "what a tool runs",
        "For kind tool.",
        "an object";
    "loop.tool.implementation": "how it is reached",
        "process starts a program, commands one of several with arguments of the input, container a program in a container, http posts to a server, mcp calls a tool of a server of the Model Context Protocol, builtin:echo gives its input back, builtin:count is a step of a machine that counts n up to to.",
        "process, commands, container, http, mcp, builtin:echo or builtin:count";
    "loop.tool.config": "what it needs",
        "For process argv, env, cwd, sandbox, read, write and lines; for commands commands instead of argv and no lines; for container image, argv, env, pull, network, memory, cpus, pids, scratch, output and lines; for http url, headers and allowPrivate; for mcp server, tool and digest.",
        "an object";
    "loop.tool.config.argv": "the program and its arguments",
        "Started without a shell in the definition's folder; input as JSON on stdin, output as JSON on stdout.",
        "a list of texts";
    "loop.tool.config.lines": "whether a program answers in lines",
        "Each is a JSON object: {type: part, text} as often as it likes, {type: progress, progress}, and last {type: output, output} or {type: failure, message}. Without it all that it prints is the output.",
        "true or false";
    "loop.tool.config.commands": "the commands that the input may name",
        "{NAME: {argv, arguments, description}}. An element of argv is a text, or {argument: NAME}: that argument of the input, whole. arguments gives each a schema of type string or integer. One that begins with - is refused, unless it stands after -- or says dash: true.",
        "an object of commands";
    "loop.tool.config.image": "what the container is made from",
        "Named by its digest, so that it stays what it is: docker image inspect tells it.",
        "NAME@sha256:DIGEST, or an id: sha256:DIGEST";
    "loop.tool.config.pull": "when the image is fetched",
        "never: without it the call fails. missing: if it is not there. always: before each call. An id cannot be fetched.",
        "never, missing or always";
    "loop.tool.config.network": "the engine's network that the container joins",
        "One that containers.networks in realm.toml lists; none without it.",
        "a network's name";
    "loop.tool.config.memory": "memory of the container",
        "With its scratch folder; taking more ends the call.",
        "as in 256 MiB";
    "loop.tool.config.cpus": "processors of the container",
        "1 unless told.",
        "a number";
    "loop.tool.config.pids": "processes and threads of the container",
        "64 unless told.",
        "a number";
    "loop.tool.config.scratch": "what the container may write",
        "The size of its /tmp, which goes with it.",
        "as in 64 MiB";
    "loop.tool.config.output": "how much the container may answer",
        "More ends the call.",
        "as in 1 MiB, 8 MiB at most";
    "loop.tool.config.sandbox": "what the program is kept from",
        "basic: the daemon's environment and terminal, new privileges, outliving its call with what it starts. strict: also files but the system's, its folder's and those of read and write, the network, other processes, and most calls of the kernel; a kernel that cannot is an error. none: the environment alone.",
        "none, basic or strict";
    "loop.tool.config.read": "what it may read under strict",
        "Beside the system's programs and its own folder.",
        "a list of files and folders";
    "loop.tool.config.write": "what it may change under strict",
        "Beside a folder of its own that goes with it, which TMPDIR names.",
        "a list of files and folders";
    "loop.tool.config.server": "which MCP server",
        "Its id: [mcp.ID] in realm.toml configures it.",
        "an id";
    "loop.tool.config.tool": "which of its tools",
        "The input is the tool's arguments; realmctl backend import writes a loop for each tool.",
        "a tool's name";
    "loop.tool.config.digest": "the tool as it was approved",
        "SHA-256 of its name, description and schemas. A tool that is no longer that is not called; realmctl backend approve writes it anew.",
        "52 letters and digits";
    "loop.tool.config.key": "the bearer token that an HTTP agent is shown",
        "The name of a secret: [secrets.NAME] in realm.toml says where it is. It stands in no loop.",
        "a secret's name";
    "loop.tool.config.secrets": "which secrets it is given, and as what",
        "Variables of a program or of commands, headers of an HTTP agent, each with the name of a secret: [secrets.NAME] in realm.toml says where that is.",
        "an object of names of secrets";
    "loop.tool.config.url": "where to post",
        "Input as JSON in the body, output as JSON in the answer.",
        "an https URL; http and private addresses only for what allowPrivate names and the owner opens to loops (loops.allow_private in realm.toml)";
    "loop.route": "who does the work",
        "For kind route. Targets are tried by priority, and among those of one priority by weight; another one where the last did nothing, or where effects allow that two do it.",
        "an object with targets, and pattern if it takes other names too";
    "loop.route.pattern": "further names that it takes",
        "A call of a name that begins so, and that no loop here has, is a call of this route. The longest pattern counts.",
        "the beginning of names and a *: pharmacy/*";
    "loop.route.targets": "the loops that may do it",
        "A realm, with the name of its loop where that is another one; a loop of this realm; or announced work, whose members are those of loop.broadcast.",
        "a list of {realm, loop, version, priority, weight, timeout} or {broadcast: {...}, ...}, 32 at most";
    "loop.route.targets.priority": "who comes first",
        "The highest does. The next one has its turn when all of it have refused.",
        "a whole number up to 65,535; 0 unless told";
    "loop.route.targets.weight": "the share among those of one priority",
        "Which one it is follows from the run's id: a restart does not choose anew. Who has 0 comes after the others.",
        "a whole number up to 65,535; 1 unless told";
    "loop.route.targets.timeout": "how long it has",
        "Then it counts as one that gave no answer.",
        "a duration; 60s unless told";
    "loop.broadcast": "how work is announced",
        "For kind broadcast. The loop's own schemas are the contract that bidders must have.",
        "an object";
    "loop.broadcast.loopId": "what it is called",
        "Bidders have a loop of this name, unless capabilities are named.",
        "an id; the loop's own unless told";
    "loop.broadcast.capabilities": "what bidders must be able to do",
        "Loops that declare all of them and have these schemas may bid, whatever they are called.",
        "a list of dotted names, 16 at most";
    "loop.broadcast.scope": "who is asked",
        "A realm is asked with all below it.",
        "children, subtree, peers or a realm, or a list of them; subtree unless told";
    "loop.broadcast.depth": "how deep",
        "Levels of the subtree and of each peer's tree.",
        "a number from 1 to 8; 8 unless told";
    "loop.broadcast.wider": "who is asked where there are too few bids",
        "The work is announced once more, and bids of both rounds count.",
        "an object with scope, and depth where it differs";
    "loop.broadcast.window": "how long bids are taken",
        "It ends earlier once everybody has answered.",
        "a duration up to 60s; 2s unless told";
    "loop.broadcast.within": "how long the work may take in all",
        "A winner that falls silent loses its lease long before that.",
        "a duration; 60s unless told";
    "loop.broadcast.maxPrice": "what is paid at most",
        "Bids in another currency do not count; without it no bid may ask for a price.",
        "a currency and a number: EUR 0.10; also maxTime (a duration), minConfidence (0 to 1)";
    "loop.broadcast.select": "how bids are chosen among",
        "best is by price, then time, then confidence; weighted by a score of weights.",
        "best, first, random, all or weighted; best unless told";
    "loop.broadcast.weights": "what counts for the score",
        "For select: weighted.",
        "price, time, confidence and trust, each a number up to 1000";
    "loop.broadcast.winners": "how many bids win",
        "Each winner does the work.",
        "a number from 1 to 256; 1 unless told; also standbys, minBids, maxBids, perRealm";
    "loop.broadcast.atOnce": "how many winners work at a time",
        "The next one begins when another has ended, the better ranked first. Bids hold for a minute at most: who would have to wait for longer is not awarded.",
        "a number from 1 to 256; all winners unless told";
    "loop.broadcast.enough": "when no more bids are waited for",
        "As soon as so many bids keep to this price, time and confidence.",
        "bids, and price, time, confidence where they matter";
    "loop.broadcast.aggregate": "how results are made one",
        "consensus needs threshold, quorum needs quorum; field names the member that is compared or counted.",
        "select, merge, consensus, quorum, vote, average, weighted-average, sum, rank, first-valid, highest-confidence, collect-all or loop; also minResults, minResultConfidence";
    "loop.broadcast.aggregator": "who makes the results one",
        "For aggregate: loop. It gets the list of them, and gives the output.",
        "a loop of this realm";
    "loop.broadcast.wait": "how many results are waited for",
        "quorum needs its share of the winners.",
        "all, majority, quorum or any; all unless told";
    "loop.broadcast.subLoops": "whether the work may be more than one loop",
        "Without, whoever does it may call no loop and announce no work of its own.",
        "true or false; true unless told";
}
