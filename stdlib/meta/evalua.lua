---@meta evalua
-- Annotations for editors: everything that `require "evalua"` offers. Never run. A test compares the options with the
-- schemas that check them.

error("annotations only; scripts say: local eval = require \"evalua\"")

-- ==== Records ====

---One case of a dataset.
---@class evalua.item
---@field id? string|number unique; made from the input where absent
---@field input any any JSON value
---@field ground_truth? any what is right
---@field context? any what the target and scorers should see besides
---@field expected_trajectory? any
---@field steps? table<string, any> ground truth per step
---@field output? any scored where an experiment names no target
---@field metadata? table<string, any>
---@field tags? string[]|table<string, string>
---@field scorers? (string|evalua.scorer)[] instead of the dataset's
---@field expect? table[] checks such as { contains = "refund" }
---@field tool_mocks? any
---@field source? { type: string?, reference: string? }
---@field trial? integer from 1; in targets and before_each
---@field setup? any what the experiment's setup returned; in targets and before_each
---@field worker? any what its worker_setup returned; in targets and before_each

---What a scorer is given.
---@class evalua.run
---@field item_id string
---@field trial integer from 1
---@field input any
---@field output any
---@field ground_truth any
---@field context any what the target returned, else the item's
---@field metadata table<string, any>?
---@field tags table?
---@field error { message: string, code: string?, stack: string? }?
---@field trajectory any
---@field steps any
---@field messages any
---@field usage table?
---@field latency_ms number?
---@field expected_trajectory any

---The second result of a target: what is not the output.
---@class evalua.info
---@field context? any
---@field usage? table
---@field trajectory? any
---@field messages? any
---@field metadata? table

---@alias evalua.run_function fun(input: any, item: evalua.item): any, evalua.info?
---@alias evalua.score_function fun(run: evalua.run, stage: table): any, string?
---@alias evalua.mapping table<string, string|string[]|fun(row: table): any>|fun(row: table): evalua.item
---@alias evalua.scorer_list (string|evalua.scorer|evalua.scorer_handle|evalua.score_function)[]

---@class evalua.target
---@field id string
---@field type string
---@field version string?
---@field digest string
---@field run evalua.run_function

---@class evalua.scorer
---@field id string
---@field name string
---@field version string?
---@field digest string

---A built-in scorer: usable as it is, and callable with options.
---@class evalua.scorer_handle

---@class evalua.source
---@field each fun(self: evalua.source): fun(): table?, string?

---@class evalua.dataset
---@field name string

---@class evalua.experiment_handle
---@field name string
---@field variant string?
---@field run fun(self: evalua.experiment_handle, options: table?): table runs it now; returns the summary

---@class evalua.workflow_context
---@field item evalua.item
---@field steps table<string, any> outputs by the id of the step

---@class evalua.rule

---@class evalua.change
---@field version integer
---@field changed boolean
---@field added integer
---@field updated integer
---@field removed integer
---@field item_count integer

---A dataset of the store.
---@class evalua.stored_dataset
---@field id string
---@field name string
---@field description string?
---@field metadata table?
---@field tags table?
---@field version integer
---@field digest string
---@field item_count integer
---@field owner string? the suite that it belongs to
---@field created_at string
---@field updated_at string?
---@field scorers string[]?
local stored_dataset = {}

---@param items evalua.item[] with an optional message
---@return evalua.change
function stored_dataset:add_items(items) end

---@param id string
---@param patch table fields of the item; eval.null takes one away
---@return evalua.change
function stored_dataset:update_item(id, patch) end

---@param ids string[] with an optional message
---@return evalua.change
function stored_dataset:delete_items(ids) end

---@param options? evalua.dataset_items_options
---@return evalua.item[]
function stored_dataset:items(options) end

---@return { version: integer, digest: string?, item_count: integer, created_at: string, message: string? }[]
function stored_dataset:versions() end

---@param id string
---@return { valid_from: integer, valid_to: integer?, item: evalua.item }[]
function stored_dataset:history(id) end

---@param from integer|string
---@param to? integer|string
---@return { added: string[], removed: string[], changed: string[] }
function stored_dataset:diff(from, to) end

---@param name string
---@param version? integer
function stored_dataset:alias(name, version) end

---@param tags string[]|table<string, string>
function stored_dataset:set_tags(tags) end

---Not available yet.
function stored_dataset:merge_records(records) end

---@param path string
---@param mapping? evalua.mapping
---@return evalua.change
function stored_dataset:import_csv(path, mapping) end

---@param options evalua.experiment_options without dataset
---@return table summary
function stored_dataset:start_experiment(options) end

-- ==== Functions ====

---@class evalua
local eval = {}

---JSON null inside values; the same as cjson.null.
eval.null = nil ---@type userdata

---Lossless JSON: encode, decode, identity, array, is_array, null.
eval.json = {} ---@type table

---Text metrics over UTF-8: levenshtein, damerau, jaro, jaro_winkler, dice, lcs_ratio, length, fold, words, sha256.
eval.text = {} ---@type table

---@param options evalua.dataset_options
---@return evalua.dataset
function eval.dataset(options) end

---@param path string from the directory of the script
---@param mapping? evalua.mapping
---@param options? evalua.csv_options
---@return evalua.source
function eval.csv(path, mapping, options) end

---@param path string from the directory of the script
---@param mapping? evalua.mapping
---@return evalua.source
function eval.jsonl(path, mapping) end

---@param options evalua.target_options
---@return evalua.target
function eval.target(options) end

---@param options evalua.command_options
---@return evalua.target
function eval.command(options) end

---A target that is an HTTP request for each item, with retries.
---@param options evalua.http_options
---@return evalua.target
function eval.http(options) end

---@param options evalua.workflow_options
---@return evalua.target
function eval.workflow(options) end

---@param options evalua.processor_options
---@return evalua.target
function eval.processor(options) end

---@param options evalua.scorer_options
---@return evalua.scorer
function eval.scorer(options) end

---@param options evalua.experiment_options
---@return evalua.experiment_handle
function eval.experiment(options) end

---@class evalua.signal
---@field abort fun(self: evalua.signal, reason: string?) ends the run; what is in flight gets 5 s
---@field aborted boolean
---@field reason string?

---Lets a script end a run early, also from inside an item: `signal = eval.signal()`.
---@return evalua.signal
function eval.signal() end

---How the trials of an item become one value.
---@class evalua.reducer
---@field name string
---@field k? integer

---Reducers of `trials`: their statistics are taken over items.
eval.reducers = {}
---@type evalua.reducer the mean of the scores; the default
eval.reducers.mean = nil
---@type evalua.reducer
eval.reducers.median = nil
---@type evalua.reducer the most frequent score; of several the first
eval.reducers.mode = nil
---@type evalua.reducer
eval.reducers.max = nil
---1 where at least k trials passed.
---@param k integer
---@return evalua.reducer
function eval.reducers.at_least(k) end
---The chance that at least one of k trials passes.
---@param k integer
---@return evalua.reducer
function eval.reducers.pass_at(k) end
---The chance that all of k trials pass.
---@param k integer
---@return evalua.reducer
function eval.reducers.pass_k(k) end

---@param name string
---@param judge fun(now: table, baseline: table?, comparison: table?): boolean, string?
---@return evalua.rule
function eval.rule(name, judge) end

---A value from the command line: `-p NAME=VALUE`.
---@param options evalua.param_options
---@return any
function eval.param(options) end

---An environment variable, required without a default; its value is redacted everywhere.
---@param name string
---@param default? string
---@return string
function eval.env(name, default) end

---The text of a file.
---@param path string from the directory of the script
---@return string
function eval.file(path) end

---Every combination of the values; `variant = v` names an experiment after it.
---@param values table<string, any[]|table<string, any>>
---@return fun(): table?
function eval.matrix(values) end

---Calls functions at the same time; returns their first results.
---@param functions function[] with an optional max
---@return any[]
function eval.all(functions) end

---@param time number|string milliseconds, or "30s"
function eval.sleep(time) end

---Runs a program without a shell.
---@param options evalua.spawn_options
---@return { code: integer?, signal: string?, stdout: string, stderr: string }
function eval.spawn(options) end

---@class evalua.limit
---@field id string
---@field max_concurrency integer?
---@field requests_per_minute number?
---@field wrap fun(self: evalua.limit, run: function): function the function, called under the limit every time
---@overload fun(run: function, ...): ...

---A limit over all workers, of how many run at a time and how many begin in a minute: `db(function() ... end)`
---waits for its turn, calls the function and returns what that returns.
---@param options evalua.limit_options
---@return evalua.limit
function eval.limit(options) end

---@class evalua.token_usage
---@field input_tokens number?
---@field output_tokens number?

---@class evalua.model
---@field id string
---@field url string?
---@field api_key string?
---@field max_concurrency integer?
---@field requests_per_minute number?
---@field price { input: number?, output: number? }?
---@field cost fun(self: evalua.model, usage: evalua.token_usage?): number? USD; nil: not known

---What requests to a model need and must keep to. eval.fetch and eval.http take it as `model`.
---@param options evalua.model_options
---@return evalua.model
function eval.model(options) end

---One HTTP request. Any status is a result; what gives no answer raises an error with a code: timeout, connect_failed,
---dns_failed, tls_failed, too_large, cut, bad_url, bad_answer, too_many_redirects, bad_redirect.
---@param options evalua.fetch_options
---@return evalua.response
function eval.fetch(options) end

---Raises an error that carries more than its message.
---@param message string|evalua.fail_options
---@param options? evalua.fail_options
function eval.fail(message, options) end

eval.datasets = {}

---@param options evalua.datasets_create_options
---@return evalua.stored_dataset
function eval.datasets.create(options) end

---@param name string|evalua.datasets_get_options
---@return evalua.stored_dataset
function eval.datasets.get(name) end

---@param options? evalua.datasets_list_options
---@return evalua.stored_dataset[]
function eval.datasets.list(options) end

---@param name string
function eval.datasets.delete(name) end

eval.experiments = {}

---@param reference string|integer|table number, id, "latest", NAME, NAME~1, NAME[variant], or a summary
---@return table summary its `results` are read from the store when they are asked for
function eval.experiments.get(reference) end

---@param options? evalua.experiments_list_options
---@return table[] records
function eval.experiments.list(options) end

---@param baseline string|integer|table
---@param candidate string|integer|table
---@param options? evalua.experiments_compare_options
---@return table comparison
function eval.experiments.compare(baseline, candidate, options) end

eval.scorers = {}
eval.rules = {}
eval.metrics = {}

-- ==== Metrics ====

---@class evalua.metric

---A stored result: values are decoded when they are read.
---@class evalua.result
---@field item_id string
---@field trial integer
---@field status "ok"|"error"|"timeout"|"limited"|"skipped"
---@field passed? boolean
---@field input any
---@field output any
---@field ground_truth any
---@field metadata? table
---@field score table<string, number> by scorer
---@field label table<string, string> by scorer

---The share of results whose prediction is the truth.
---@param options? evalua.metrics_accuracy_options
---@return evalua.metric
function eval.metrics.accuracy(options) end

---How many of a label's predictions are right, averaged over labels.
---@param options? evalua.metrics_precision_options
---@return evalua.metric
function eval.metrics.precision(options) end

---How many of a label's truths are found, averaged over labels.
---@param options? evalua.metrics_recall_options
---@return evalua.metric
function eval.metrics.recall(options) end

---The harmonic mean of precision and recall, averaged over labels.
---@param options? evalua.metrics_f1_options
---@return evalua.metric
function eval.metrics.f1(options) end

---Cohen's kappa: agreement beyond chance; `weights` for ordered labels.
---@param options? evalua.metrics_kappa_options
---@return evalua.metric
function eval.metrics.kappa(options) end

---Krippendorff's alpha: agreement of two or more raters beyond chance, ratings may be missing.
---@param options? evalua.metrics_alpha_options
---@return evalua.metric
function eval.metrics.alpha(options) end

---The correlation of two numbers.
---@param options? evalua.metrics_pearson_options
---@return evalua.metric
function eval.metrics.pearson(options) end

---The correlation of their ranks.
---@param options? evalua.metrics_spearman_options
---@return evalua.metric
function eval.metrics.spearman(options) end

---Tau-b: pairs in the same order less pairs in the other.
---@param options? evalua.metrics_kendall_options
---@return evalua.metric
function eval.metrics.kendall(options) end

---The mean absolute error.
---@param options? evalua.metrics_mae_options
---@return evalua.metric
function eval.metrics.mae(options) end

---The root of the mean squared error.
---@param options? evalua.metrics_rmse_options
---@return evalua.metric
function eval.metrics.rmse(options) end

---How far stated probabilities are from what happened, over equal bins.
---@param options? evalua.metrics_calibration_error_options
---@return evalua.metric
function eval.metrics.calibration_error(options) end

---The chance that a positive has a higher prediction than a negative.
---@param options? evalua.metrics_auc_options
---@return evalua.metric
function eval.metrics.auc(options) end

-- ==== Scorers ====

---@type evalua.scorer_handle|fun(options: evalua.scorer_contains_options|any): evalua.scorer
eval.scorers.contains = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_equals_options|any): evalua.scorer
eval.scorers.equals = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_exact_options|any): evalua.scorer
eval.scorers.exact = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_excludes_options|any): evalua.scorer
eval.scorers.excludes = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_json_valid_options): evalua.scorer
eval.scorers.json_valid = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_length_options): evalua.scorer
eval.scorers.length = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_levenshtein_options|any): evalua.scorer
eval.scorers.levenshtein = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_matches_options|string): evalua.scorer
eval.scorers.matches = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_numeric_options|any): evalua.scorer
eval.scorers.numeric = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_one_of_options|any[]): evalua.scorer
eval.scorers.one_of = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_similarity_options|any): evalua.scorer
eval.scorers.similarity = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_starts_with_options|any): evalua.scorer
eval.scorers.starts_with = nil

---@type evalua.scorer_handle|fun(options: evalua.scorer_word_count_options): evalua.scorer
eval.scorers.word_count = nil

-- ==== Rules ====

---@param scorer string
---@param value number
---@param options? evalua.rules_at_least_options
---@return evalua.rule
function eval.rules.at_least(scorer, value, options) end

---@param scorer string
---@param value number
---@param options? evalua.rules_at_most_options
---@return evalua.rule
function eval.rules.at_most(scorer, value, options) end

---@param scorer string
---@param options? evalua.rules_no_regression_options
---@return evalua.rule
function eval.rules.no_regression(scorer, options) end

---@param scorer string
---@param margin number
---@param options? evalua.rules_no_worse_options
---@return evalua.rule
function eval.rules.no_worse(scorer, margin, options) end

---@param scorer string
---@param options? evalua.rules_improved_options
---@return evalua.rule
function eval.rules.improved(scorer, options) end

---@param scorer string
---@param share number
---@param options? evalua.rules_pass_rate_options
---@return evalua.rule
function eval.rules.pass_rate(scorer, share, options) end

---@param share number
---@param options? evalua.rules_success_rate_options
---@return evalua.rule
function eval.rules.success_rate(share, options) end

---@param time number|string
---@param options? evalua.rules_max_latency_options
---@return evalua.rule
function eval.rules.max_latency(time, options) end

---@param cost number
---@param options? evalua.rules_max_cost_options
---@return evalua.rule
function eval.rules.max_cost(cost, options) end

---@param options? evalua.rules_no_new_failures_options
---@return evalua.rule
function eval.rules.no_new_failures(options) end

---@param check string|fun(result: table): boolean
---@param options? evalua.rules_all_items_options
---@return evalua.rule
function eval.rules.all_items(check, options) end

-- ==== Options ====

---Options that every scorer takes.
---@class evalua.common_scorer_options
---@field id? string names it in results and rules
---@field name? string for people; the id where absent
---@field description? string
---@field higher_is_better? boolean default true
---@field pass? number|fun(score: number?, label: string?): boolean passes at this score or better
---@field on_error? number|boolean|fun(run: evalua.run): any for failed targets: a score, true or function(run)
---@field timeout? number|string for one scoring
---@field version? string|number stands for the definition; a digest of it where absent

---Options of a parallel step of eval.workflow.
---@class evalua.workflow_parallel
---@field parallel evalua.workflow_step[] steps that run at the same time

---Options of a step of eval.workflow.
---@class evalua.workflow_step
---@field id string names its output: context.steps[id]
---@field run fun(input: any, context: evalua.workflow_context): any run(input, context) -> output
---@field when? fun(input: any, context: evalua.workflow_context): boolean left out unless it returns true

---Options of dataset:items.
---@class evalua.dataset_items_options
---@field version? integer|string a version or an alias; default the latest
---@field page? integer one page, counted from 0
---@field per_page? integer items of a page (default 20)
---@field search? string only items with this text in input or ground truth
---@field where? string|fun(item: evalua.item): boolean a Lua expression over the item's fields, or a predicate
---@field ids? string[] only these items

---Options of eval.command.
---@class evalua.command_options
---@field id string the target's name
---@field argv string[] program and arguments; no shell is involved
---@field stdin? "text"|"json"|fun(input: any, item: evalua.item): string
---@field stdout? "text"|"json"|"result"|fun(text: string, item: evalua.item): any, evalua.info?
---@field mode? "oneshot"|"persistent" one run per item, or a pool (default oneshot)
---@field processes? integer most programs alive at once in one worker (default 200)
---@field cwd? string working directory, from the directory of the script that says it
---@field env? table<string, string|false> variables added to the environment; false removes one
---@field request? fun(input: any, item: evalua.item): string persistent: function(input, item) -> line to send
---@field response? fun(read_line: (fun(): string?), input: any, item: evalua.item): any, evalua.info?
---@field ready? fun(read_line: fun(): string?) persistent: function(read_line), called once after start for a banner
---@field timeout? number|string for one item; the program is killed
---@field cache? boolean|evalua.cache_mode true: answers are kept and used again, in the run's mode or else "use"
---@field max_output? integer limit output_bytes for one item (default 10485760)
---@field version? string|number stands for the definition instead of its digest

---Options of eval.csv.
---@class evalua.csv_options
---@field delimiter? string one character between the cells (default ,)

---Options of eval.dataset.
---@class evalua.dataset_options
---@field name string unique in the store
---@field description? string
---@field metadata? table<string, any> anything about the dataset
---@field tags? table a list of strings, or a table of them
---@field items? evalua.item[]|evalua.source|fun(): (evalua.item[]|fun(): evalua.item?)
---@field file? string a .csv, .tsv or .jsonl file instead of items
---@field mapping? evalua.mapping which columns of the file make which fields
---@field version? string|number stands for the definition instead of its digest
---@field target? any the target for experiments that name none (not available yet)
---@field scorers? evalua.scorer_list for experiments that name none
---@field input_schema? table<string, any> JSON Schema of inputs (not available yet)
---@field ground_truth_schema? table<string, any> JSON Schema of ground truths (not available yet)

---Options of eval.datasets.create.
---@class evalua.datasets_create_options
---@field name string unique in the store
---@field description? string
---@field metadata? table<string, any>
---@field tags? table a list of strings, or a table of them
---@field input_schema? table<string, any> JSON Schema of inputs (not available yet)
---@field ground_truth_schema? table<string, any> JSON Schema of ground truths (not available yet)
---@field target? string attached target (not available yet)
---@field scorers? string[] ids of attached scorers

---Options of eval.datasets.get.
---@class evalua.datasets_get_options
---@field name? string the dataset's name
---@field id? string the dataset's id

---Options of eval.datasets.list.
---@class evalua.datasets_list_options
---@field name? string only that name
---@field tags? string[] only those with all these tags
---@field experiment? string only the one that this experiment ran

---Options of eval.experiment.
---@class evalua.experiment_options
---@field name string names it in reports, on the command line and in baselines
---@field variant? string|table a name, or the record of eval.matrix
---@field description? string
---@field metadata? table<string, any> kept with the experiment
---@field tags? table a list of strings, or a table of them
---@field dataset string|evalua.dataset|evalua.stored_dataset|evalua.item[]
---@field version? integer|string version or alias of the dataset; default the latest
---@field items? string[]|fun(item: evalua.item): boolean ids, or a predicate of the item
---@field target? string|evalua.target|evalua.run_function without one the items' output is scored
---@field target_id? string the target by its id
---@field target_type? "agent"|"command"|"function"|"http"|"processor"|"scorer"|"workflow" the kind of target_id
---@field scorers? evalua.scorer_list|{ agent: evalua.scorer_list?, workflow: evalua.scorer_list? }
---@field metrics? table<string, evalua.metric|fun(results: evalua.result[]): number|table|nil> over all results
---@field slices? string[] fields to group by, such as "metadata.lang"
---@field cluster? string field whose equal values belong together, such as "metadata.document"
---@field context? any for all targets and scorers (not available yet)
---@field max_concurrency? integer items in flight over all workers (default 5)
---@field item_timeout? number|string for one attempt at an item
---@field timeout? number|string for the whole experiment
---@field max_retries? integer further attempts at a failed item (default 0)
---@field max_failures? number so many failed items end the run: a share below 1, a count from 1 on
---@field tolerance? number failed items accepted: a share below 1, a count from 1 on
---@field memory_per_worker? integer|string of Lua in one worker, beyond what it began with (default 1 GiB)
---@field limits? evalua.limits_options of items and of the run: tokens, cost, memory and more
---@field trials? integer|evalua.trials_options times that each item runs
---@field seed? integer of math.random in items
---@field cache? boolean|evalua.cache_mode|evalua.cache_choice of requests; default off
---@field signal? evalua.signal what eval.signal() returned; aborting it ends the run
---@field rules? evalua.rule[] what must hold: eval.rules and eval.rule
---@field baseline? string the run or file to compare with
---@field setup? fun(): any before the first item; what it returns is item.setup
---@field teardown? fun(setup: any) after the last item, whatever happened
---@field after_each? fun(result: table, setup: any) after_each(result, setup), in item order
---@field worker_setup? fun(setup: any): any once in each worker; what it returns is item.worker
---@field before_each? fun(item: evalua.item) before_each(item), in its worker, before each attempt

---How requests use the cache: off; use and keep; only keep; only use, where a miss is an error.
---@alias evalua.cache_mode "off"|"use"|"refresh"|"replay"

---What eval.experiment { cache = } may be besides a mode.
---@class evalua.cache_choice
---@field mode? boolean|evalua.cache_mode default "use"
---@field file? string a cassette (*.jsonl) or a cache database, from the directory of the suite

---Options of eval.experiment.limits.
---@class evalua.limits_options
---@field tokens? integer of one attempt at an item, input and output together
---@field cost? number of one attempt at an item
---@field steps? integer of an agent in one attempt at an item
---@field run_tokens? integer of the whole run: more ends it unjudged
---@field run_cost? number of the whole run: more ends it unjudged
---@field output_bytes? integer|string of one output as JSON (default 64 MiB)
---@field memory_per_worker? integer|string of Lua in one worker, beyond what it began with (default 1 GiB)
---@field rss_per_worker? integer|string of one worker process, beyond what it began with (default 2 GiB)
---@field processes? integer that eval.spawn has running at once for one item (default 100)
---@field requests? integer that one item has open at once (default 1000)

---Options of eval.experiment.trials.
---@class evalua.trials_options
---@field count integer times that each item runs
---@field reducer? evalua.reducer one of eval.reducers; default mean

---Options of eval.experiments.compare.
---@class evalua.experiments_compare_options
---@field margin? number how much worse still is no worse
---@field alpha? number level of the tests; default 1 - confidence
---@field confidence? number of the intervals; default 0.95
---@field cluster? string|false field whose equal values belong together; default that of the run; false: none
---@field scorer? string|string[] only this scorer or metric, or these
---@field by? string[] also by the values of fields, such as "metadata.lang"
---@field across_datasets? boolean runs over different datasets, too, paired by item id alone
---@field limit? integer most regressions and improvements listed per scorer

---Options of eval.experiments.list.
---@class evalua.experiments_list_options
---@field name? string only that name
---@field variant? string only that variant
---@field status? "pending"|"running"|"completed"|"failed"|"cancelled"|"interrupted"
---@field limit? integer how many, newest first (default 100)

---Options of eval.fail.
---@class evalua.fail_options
---@field message? string what went wrong
---@field permanent? boolean true: a retry cannot help
---@field code? string a short name of the cause, kept with the result

---Options of eval.metrics.accuracy.
---@class evalua.metrics_accuracy_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.precision.
---@class evalua.metrics_precision_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field average? string|number|boolean "macro" (default), "micro", "weighted", or the one label that counts

---Options of eval.metrics.recall.
---@class evalua.metrics_recall_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field average? string|number|boolean "macro" (default), "micro", "weighted", or the one label that counts

---Options of eval.metrics.f1.
---@class evalua.metrics_f1_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field average? string|number|boolean "macro" (default), "micro", "weighted", or the one label that counts

---Options of eval.metrics.kappa.
---@class evalua.metrics_kappa_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field weights? "none"|"linear"|"quadratic" how much a disagreement counts; default none: all alike
---@field labels? any[] all labels in their order; numbers are in order without it

---Options of eval.metrics.alpha.
---@class evalua.metrics_alpha_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field level? "nominal"|"ordinal"|"interval" default nominal
---@field labels? any[] all labels in their order; numbers are in order without it

---Options of eval.metrics.pearson.
---@class evalua.metrics_pearson_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.spearman.
---@class evalua.metrics_spearman_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.kendall.
---@class evalua.metrics_kendall_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.mae.
---@class evalua.metrics_mae_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.rmse.
---@class evalua.metrics_rmse_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.calibration_error.
---@class evalua.metrics_calibration_error_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field bins? integer equal bins of probability; default 10
---@field positive? any the truth that counts as 1; default true and 1

---Options of eval.metrics.auc.
---@class evalua.metrics_auc_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field positive? any the truth that counts as 1; default true and 1

---Options of eval.param.
---@class evalua.param_options
---@field name string the NAME of -p NAME=VALUE
---@field default? string|number|boolean without one the parameter must be given
---@field type? "string"|"number"|"integer"|"boolean" default: that of the default
---@field description? string one line for the list of parameters
---@field enum? any[] the values it may have

---Options of eval.processor.
---@class evalua.processor_options
---@field id string names it in experiments and results
---@field process evalua.run_function process(input, item) -> output, info
---@field description? string
---@field version? string|number stands for the definition instead of its digest

---Options of eval.rules.all_items.
---@class evalua.rules_all_items_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.at_least.
---@class evalua.rules_at_least_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.at_most.
---@class evalua.rules_at_most_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.improved.
---@class evalua.rules_improved_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"
---@field margin? number how much worse is no worse
---@field alpha? number significance level, 0.05
---@field cluster? string field whose equal values belong together; default that of the experiment

---Options of eval.rules.max_cost.
---@class evalua.rules_max_cost_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field per? "run"|"item" default run
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.max_latency.
---@class evalua.rules_max_latency_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field percentile? number 50, 95, 99 or 100 (the slowest, the default)
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.no_new_failures.
---@class evalua.rules_no_new_failures_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.no_regression.
---@class evalua.rules_no_regression_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"
---@field margin? number how much worse is no worse
---@field alpha? number significance level, 0.05
---@field cluster? string field whose equal values belong together; default that of the experiment

---Options of eval.rules.no_worse.
---@class evalua.rules_no_worse_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"
---@field margin? number how much worse is no worse
---@field alpha? number significance level, 0.05
---@field cluster? string field whose equal values belong together; default that of the experiment

---Options of eval.rules.pass_rate.
---@class evalua.rules_pass_rate_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.success_rate.
---@class evalua.rules_success_rate_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.scorer.
---@class evalua.scorer_options : evalua.common_scorer_options
---@field score evalua.score_function score(run, stage)
---@field preprocess? function preprocess(run, stage), before the others; its result is stage.preprocess
---@field analyze? function analyze(run, stage), before `score`; its result is stage.analyze
---@field reason? function reason(run, stage), after `score`: the reason as text, or nil

---What eval.fetch returns.
---@class evalua.response
---@field status integer
---@field headers table<string, string> by lower-case names; found however they are written
---@field body string? the whole body; nil where it is streamed
---@field json any? the body as JSON; nil where it is none
---@field url string of the last request, after redirects
---@field read fun(self: evalua.response): string? the next piece of a streamed body; nil at its end
---@field events fun(self: evalua.response): fun(): evalua.server_event? the server-sent events of a streamed body
---@field json_lines fun(self: evalua.response): fun(): any, string? the JSON lines of a streamed body
---@field close fun(self: evalua.response) ends a streamed answer early

---@class evalua.server_event
---@field event string "message" where the server names none
---@field data string
---@field id? string
---@field retry? integer

---Options of eval.fetch.
---@class evalua.fetch_options
---@field url? string http:// or https://; with a model also what comes behind the model's
---@field model? string|evalua.model the id of a model, or what eval.model returned: its key and limits hold
---@field method? string GET, or POST where there is a body
---@field headers? table<string, string|number|false> names and values; false leaves one out that would be sent
---@field body? string text to send
---@field json? any a value to send as JSON, instead of body
---@field form? table<string, any> names and values to send as a form, instead of body
---@field stream? boolean return when the headers are there; the body is read piece by piece
---@field timeout? number|string from the start to the end of the answer (default 10m)
---@field connect_timeout? number|string until there is a connection (default 5s)
---@field first_byte_timeout? number|string until the first byte of the answer
---@field max_bytes? integer limit of the body, decompressed (default 67108864)
---@field redirects? integer how many are followed; 0: the redirect is the answer (default 5)
---@field cache? boolean|evalua.cache_mode the mode where neither the run nor the experiment names one; false: never

---Options of eval.limit.
---@class evalua.limit_options
---@field id string limits of one id are one limit, in all workers
---@field max_concurrency? integer how many calls run at a time
---@field requests_per_minute? number how many calls begin in any minute

---Options of eval.model.
---@class evalua.model_options
---@field id string how targets and requests name it
---@field url? string what relative URLs of requests are put behind
---@field api_key? string sent as `Authorization: Bearer` to that URL's host; use eval.env
---@field max_concurrency? integer requests at a time, over all workers
---@field requests_per_minute? number requests begun in any minute, over all workers
---@field price? { input: number?, output: number? } USD for a million tokens

---Options of eval.http.
---@class evalua.http_options
---@field id string names it in experiments and results
---@field url? string|fun(input: any, item: evalua.item): string with a model also what comes behind the model's
---@field model? string|evalua.model the id of a model, or what eval.model returned: its key, limits and price hold
---@field method? string GET, or POST where there is a body
---@field headers? table<string, any>|fun(input: any, item: evalua.item): table<string, any>
---@field body? any a template: text as it is, a table as JSON; or function(input, item) -> text or table
---@field output? string|fun(response: evalua.response, item: evalua.item): any, evalua.info?
---@field retries? integer further tries of one request (default 3)
---@field version? string|number stands for the definition instead of its digest
---@field timeout? number|string from the start to the end of the answer (default 10m)
---@field connect_timeout? number|string until there is a connection (default 5s)
---@field first_byte_timeout? number|string until the first byte of the answer
---@field max_bytes? integer limit of the body, decompressed (default 67108864)
---@field redirects? integer how many are followed; 0: the redirect is the answer (default 5)
---@field cache? boolean|evalua.cache_mode the mode where neither the run nor the experiment names one; false: never

---Options of a reply of evalua mock.
---@class evalua.mock_reply
---@field status? integer of the answer (default 200)
---@field headers? table<string, string> names and values
---@field body? string text
---@field json? any a value to send as JSON
---@field file? string a recorded body, from the directory of the script
---@field stream? (string|number)[] pieces sent one after another: texts, or numbers: milliseconds to wait
---@field fill? integer a body of so many bytes, made on the way
---@field delay? number|string before the answer begins
---@field cut? integer the connection is cut after so many bytes of the body; 0: there is no answer at all
---@field drip? number|string the body is sent byte by byte, with this pause between
---@field silent? boolean there is never an answer

---Options of eval.spawn.
---@class evalua.spawn_options
---@field argv string[] program and arguments; no shell is involved
---@field stdin? string text for its stdin (default: nothing)
---@field timeout? number|string then it is killed, and the call raises an error
---@field cwd? string working directory, from the directory of the script that says it (default: ours)
---@field env? table<string, string|false> variables added to the environment; false removes one
---@field max_output? integer limit output_bytes for stdout and for stderr (default 10485760)

---Options of eval.target.
---@class evalua.target_options
---@field id string names it in experiments and results
---@field run evalua.run_function run(input, item) -> output, info
---@field description? string
---@field version? string|number stands for the definition instead of its digest

---Options of eval.workflow.
---@class evalua.workflow_options
---@field id string names it in experiments and results
---@field steps (evalua.workflow_step|evalua.workflow_parallel)[] steps, or { parallel = { steps } }
---@field description? string
---@field version? string|number stands for the definition instead of its digest

---Options of scorer contains.
---@class evalua.scorer_contains_options : evalua.common_scorer_options
---@field value? any a text or a list of texts; the ground truth where absent
---@field ignore_case? boolean compare without regard to case
---@field any? boolean one of several texts is enough
---@field all? boolean all of several texts are needed (this is the default)

---Options of scorer equals.
---@class evalua.scorer_equals_options : evalua.common_scorer_options
---@field value? any expected instead of the ground truth
---@field ignore? any[]|string paths left out, such as "id" or "items.*.time"; lists count from 1
---@field tolerance? number numbers may differ by this much
---@field parse? boolean read an output that is a string as JSON first

---Options of scorer exact.
---@class evalua.scorer_exact_options : evalua.common_scorer_options
---@field value? any expected instead of the ground truth
---@field ignore_case? boolean compare without regard to case
---@field trim? boolean leave out white space at both ends

---Options of scorer excludes.
---@class evalua.scorer_excludes_options : evalua.common_scorer_options
---@field value? any a text or a list of texts; the ground truth where absent
---@field ignore_case? boolean compare without regard to case

---Options of scorer json_valid.
---@class evalua.scorer_json_valid_options : evalua.common_scorer_options
---@field container? boolean it must be an object or an array

---Options of scorer length.
---@class evalua.scorer_length_options : evalua.common_scorer_options
---@field min? integer the least that is allowed
---@field max? integer the most that is allowed
---@field unit? "characters"|"words"|"bytes" characters, words or bytes (default characters)

---Options of scorer levenshtein.
---@class evalua.scorer_levenshtein_options : evalua.common_scorer_options
---@field value? any compared with instead of the ground truth
---@field ignore_case? boolean compare without regard to case
---@field trim? boolean leave out white space at both ends

---Options of scorer matches.
---@class evalua.scorer_matches_options : evalua.common_scorer_options
---@field pattern string PCRE2, such as "^\\d+$"
---@field flags? string of i (ignore case), m (^ and $ at lines), s (. matches line ends), x (free spacing)

---Options of scorer numeric.
---@class evalua.scorer_numeric_options : evalua.common_scorer_options
---@field value? number|string expected instead of the ground truth
---@field after? string read only what follows the last such marker: "A:"
---@field tolerance? number the absolute difference that is allowed
---@field relative? number the difference that is allowed as a share of the expected number
---@field decimal_comma? boolean a comma marks decimals and dots separate thousands

---Options of scorer one_of.
---@class evalua.scorer_one_of_options : evalua.common_scorer_options
---@field value? any[] the right values, instead of the ground truth
---@field ignore_case? boolean compare without regard to case
---@field trim? boolean leave out white space at both ends

---Options of scorer similarity.
---@class evalua.scorer_similarity_options : evalua.common_scorer_options
---@field value? any compared with instead of the ground truth
---@field ignore_case? boolean compare without regard to case
---@field trim? boolean leave out white space at both ends
---@field method? "jaro_winkler"|"jaro"|"dice"|"lcs"|"levenshtein"|"damerau"

---Options of scorer starts_with.
---@class evalua.scorer_starts_with_options : evalua.common_scorer_options
---@field value? any a text or a list of texts; the ground truth where absent
---@field ignore_case? boolean compare without regard to case

---Options of scorer word_count.
---@class evalua.scorer_word_count_options : evalua.common_scorer_options
---@field min? integer the least that is allowed
---@field max? integer the most that is allowed

return eval
