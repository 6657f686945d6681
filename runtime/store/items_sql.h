/* The one query that several files build on: the rows of any version, by the interval tree (see items.h). */
#ifndef EVA_STORE_ITEMS_SQL_H
#define EVA_STORE_ITEMS_SQL_H

/* (position, item_key) of the items of `version`, unordered; `levels` is eva_span_levels of the latest version. Open
 * rows by their first version; closed rows at the ancestors of `version`: at a node not below it those that begin in
 * time, at a node below it those that end late enough. CROSS JOIN keeps SQLite from turning the loops around. */
#define EVA_SQL_VERSION_KEYS(dataset, version, levels)                                                              \
  "WITH RECURSIVE levels (level) AS (SELECT 0 UNION ALL SELECT level + 1 FROM levels WHERE level < " levels         \
  "), nodes (node) AS (SELECT ((CAST(" version " AS BIGINT) >> level) | 1) << level FROM levels) "                  \
  "SELECT position, item_key FROM items WHERE dataset_id = " dataset " AND valid_to IS NULL AND valid_from <= "     \
  version " UNION ALL SELECT c.position, c.item_key FROM nodes n CROSS JOIN items c WHERE n.node >= " version       \
  " AND c.dataset_id = " dataset " AND c.span_node = n.node AND c.valid_from <= " version                           \
  " UNION ALL SELECT c.position, c.item_key FROM nodes n CROSS JOIN items c WHERE n.node < " version                \
  " AND c.dataset_id = " dataset " AND c.span_node = n.node AND c.valid_to > " version

#endif
