---@meta evalua
-- Annotations for editors: everything that `require "evalua"` offers; its options are in options.lua beside. Never run.
-- A test compares them with the schemas that check options.

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

return eval
