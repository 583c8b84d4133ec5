// Every word of the page in its languages, and the language that is on.

const WORDS = {
  en: {
    skip: "Skip to the controls",
    modes: "What to work on",
    "mode.one": "One picture",
    "mode.many": "Many pictures",
    language: "Language",
    before: "Before",
    "before.enlarged": "Before, interpolated",
    after: "After",
    close: "Close",
    cancel: "Cancel",
    tools: "View and history",
    panel: "Controls",
    zoom: "Zoom",
    "zoom.fit": "Fit",
    "compare.hold": "Show before",
    "compare.divider": "Divider between before and after",
    undo: "Undo",
    redo: "Redo",
    "stage.region": "The picture",
    "stage.empty": "No picture is open",
    "stage.picture": "{name}: before on the left of the divider, restored on the right. Arrow keys move, plus and minus zoom.",
    "open.another": "Open another",
    "open.choose": "Choose a file",
    "open.camera": "Camera",
    "open.sample": "Try a sample",
    "open.drop": "Drop to open",
    "camera.take": "Take the picture",
    "empty.title": "Drop a portrait here",
    "empty.title.touch": "Choose a portrait",
    "empty.how.touch": "JPEG, PNG, TIFF, WebP, HEIC, AVIF.",
    "empty.how": "or paste it with Ctrl+V. JPEG, PNG, TIFF, WebP, HEIC, AVIF.",
    "empty.privacy":
      "The picture goes to this Likeness server and nowhere else. It is kept in memory and forgotten when you leave, or {minutes} minutes after your last move.",
    "busy.reading": "Reading the file …",
    "busy.sending": "Sending the picture: {percent}%",
    "busy.open": "Looking for faces …",
    "busy.mending": "Repairing the picture …",
    "busy.network": "Restoring {count} faces …",
    "busy.network.one": "Restoring the face …",
    "busy.view": "Drawing …",
    "busy.reference": "Looking at the other photograph …",
    "busy.references": "Laying the other photographs in place …",
    "busy.enlarging": "Enlarging the picture …",
    "busy.file": "Writing the file …",
    "faces.title": "Faces",
    "faces.none": "No face was found",
    "faces.count": "{chosen} of {all} restored",
    "faces.face.px": "Face {number}, {width} px wide",
    "faces.index": "{index} in the API and in reports",
    "faces.all": "All",
    "faces.no": "None",
    "faces.largest": "Largest",
    "faces.closer": "Look at face {number}",
    "faces.unusable": "cannot be aligned",
    "faces.own": "settings of its own",
    "whose.title": "Settings for",
    "whose.all": "All faces",
    "whose.one": "Face {number} only",
    "whose.number": "face {number}",
    "whose.note": "What you change now is for face {number} alone. A tick on a slider is where the other faces are.",
    "whose.unticked": "Face {number} is not ticked, so it stays as it is.",
    "whose.back": "Same as the other faces",
    "whose.single": "Face {faces} has settings of its own.",
    "whose.several": "Faces {faces} have settings of their own.",
    "references.title": "Other photographs of the same person",
    "references.choose": "Drop sharper ones here, or choose",
    "references.choose.touch": "Choose sharper ones",
    "references.more": "Add another",
    "references.help": "Eyes, lids, lines and moles come from them; light and colour stay as they are.",
    "references.brought": "{name} was added",
    "references.remove": "Take {name} away",
    "references.looking": "Looking whether it shows the same person …",
    "references.no-face": "No face is chosen that it could serve.",
    "references.itself": "This is the picture itself.",
    "references.same": "Not needed: the others show more.",
    "references.doubt": "Not used: it may be another person (likeness {likeness}; {limit} counts as the same).",
    "references.other": "Not used: likely another person (likeness {likeness}; {limit} counts as the same).",
    "references.trust": "Use it anyway",
    "references.trusted": "Used on your word (likeness {likeness}; {limit} counts as the same).",
    "references.gives": "Gives {regions}.",
    "references.gives.face": "Gives face {number} {regions}.",
    "references.nothing": "The same person, but it has nothing to add here.",
    "presets.title": "Presets",
    "presets.back": "Back to preset",
    "presets.sets": "Sets: {what}",
    "preset.auto": "Automatic",
    "preset.standard": "Standard",
    "preset.natural": "Natural",
    "preset.early-digital": "Early digital",
    "preset.ai-portrait": "AI portrait",
    "preset.film-scan": "Film scan",
    "preset.low-light": "Low light",
    "preset.plain": "Plain network",
    "preset.auto.for": "chosen by what the picture shows",
    "preset.standard.for": "full strength, for most photographs",
    "preset.natural.for": "skin texture first",
    "preset.early-digital.for": "2000s cameras, heavy JPEG",
    "preset.ai-portrait.for": "generated faces, eyes and ears",
    "preset.film-scan.for": "scans; the grain stays",
    "preset.low-light.for": "phones in the dark",
    "preset.plain.for": "what the network alone gives",
    "controls.title": "How strongly",
    "controls.again": "{what} Takes a moment.",
    "repair.title": "Repair",
    "repair.found": "Mended: scratches {scratches}, specks {specks}, missing pieces {pieces}",
    "repair.nothing": "No scratches or dust were found.",
    "repair.offer": "Found: scratches {scratches}, specks {specks}, missing pieces {pieces}",
    "repair.mend": "Mend them",
    "repair.show": "Show what is mended",
    "repair.brush": "Brush",
    "repair.paint": "Mend here",
    "repair.rub": "Leave as it is",
    "repair.clear": "Clear the brush",
    "repair.size": "Brush size",
    "repair.help":
      "Paint over the picture. By keys: arrows move the brush, Enter paints, Escape lays it down. Two fingers or the wheel zoom.",
    "repair.painted": "Mended here",
    "repair.rubbed": "Left as it is",
    "grain.title": "Grain",
    "skin.title": "Skin tone",
    "advanced.title": "Advanced",
    "regions.title": "Where",
    "regions.help": "0 leaves a part alone, 2 restores it most.",
    "model.title": "Model",
    "model.name": "Network",
    "model.size": "Face size",
    "model.runtime": "Runs on",
    "findings.title": "Before you start",
    "findings.enlarge": "Enlarge the result",
    "findings.none": "Nothing is the matter with this picture.",
    "evidence.title": "What it did",
    "evidence.measure": "Measure face {number}",
    "evidence.again": "Measured with other settings.",
    "evidence.note": "Sharper is not truer: a restored face is no evidence of what somebody looked like.",
    "evidence.busy": "Measuring …",
    "verdict.good": "Good",
    "verdict.look": "Look",
    "verdict.bad": "Bad",
    "verdict.none": "Not judged",
    "warnings.title": "Please look",
    "loupe.eye": "Eye",
    "loupe.hair": "Hair",
    "loupe.skin": "Skin",
    "loupe.title": "{spot} at {percent}",
    "loupe.go": "Go there",
    "take.title": "Download",
    "take.web": "Web",
    "take.print": "Print",
    "take.png": "PNG",
    "take.proof": "Proof",
    "take.web.for": "JPEG",
    "take.print.for": "TIFF, 300 dpi",
    "take.png.for": "lossless",
    "take.proof.for": "before, after",
    "take.size": "Size",
    "take.size.same": "as the photograph",
    "take.size.auto": "until faces show all detail",
    "take.side": "Long side for the web",
    "take.paper": "Size on paper",
    "opened.faces": "{name}: faces found: {count}",
    "download.done": "{name} was saved",
    "unit.levels": "levels",
    "list.colon": ": ",
    "list.comma": ", ",
    "list.stop": ". ",
  },
  zh: {
    skip: "跳到控制面板",
    modes: "工作方式",
    "mode.one": "单图增强",
    "mode.many": "批量处理",
    language: "语言",
    before: "修复前",
    "before.enlarged": "修复前，插值放大",
    after: "修复后",
    close: "关闭",
    cancel: "取消",
    tools: "查看与历史",
    panel: "控制面板",
    zoom: "缩放",
    "zoom.fit": "适合",
    "compare.hold": "看原图",
    "compare.divider": "修复前后的分界线",
    undo: "撤销",
    redo: "重做",
    "stage.region": "图片",
    "stage.empty": "尚未打开图片",
    "stage.picture": "{name}：分界线左侧为修复前，右侧为修复后。方向键移动，加减键缩放。",
    "open.another": "打开另一张",
    "open.choose": "选择文件",
    "open.camera": "拍照",
    "open.sample": "试用示例",
    "open.drop": "松开即可打开",
    "camera.take": "拍摄",
    "empty.title": "把人像照片拖到这里",
    "empty.title.touch": "选择一张人像照片",
    "empty.how.touch": "支持 JPEG、PNG、TIFF、WebP、HEIC、AVIF。",
    "empty.how": "或按 Ctrl+V 粘贴。支持 JPEG、PNG、TIFF、WebP、HEIC、AVIF。",
    "empty.privacy": "图片只会发送到这台 Likeness 服务器，不会去别处；仅保存在内存中，离开页面或最后一次操作 {minutes} 分钟后即被清除。",
    "busy.reading": "正在读取文件……",
    "busy.sending": "正在发送图片：{percent}%",
    "busy.open": "正在查找人脸……",
    "busy.mending": "正在修补照片……",
    "busy.network": "正在修复 {count} 张人脸……",
    "busy.network.one": "正在修复人脸……",
    "busy.view": "正在绘制……",
    "busy.reference": "正在查看其他照片……",
    "busy.references": "正在对齐其他照片……",
    "busy.enlarging": "正在放大图片……",
    "busy.file": "正在生成文件……",
    "faces.title": "人脸",
    "faces.none": "没有找到人脸",
    "faces.count": "修复 {chosen} / {all} 张",
    "faces.face.px": "人脸 {number}，宽 {width} 像素",
    "faces.index": "在 API 和报告中为 {index}",
    "faces.all": "全选",
    "faces.no": "全不选",
    "faces.largest": "最大的",
    "faces.closer": "查看人脸 {number}",
    "faces.unusable": "无法对齐",
    "faces.own": "有单独设置",
    "whose.title": "设置范围",
    "whose.all": "所有人脸",
    "whose.one": "仅人脸 {number}",
    "whose.number": "人脸 {number}",
    "whose.note": "现在的调整只作用于人脸 {number}，滑块上的刻度是其他人脸的数值。",
    "whose.unticked": "人脸 {number} 没有勾选，将保持原样。",
    "whose.back": "与其他人脸一致",
    "whose.single": "人脸 {faces} 有单独设置。",
    "whose.several": "人脸 {faces} 有单独设置。",
    "references.title": "同一人的其他照片",
    "references.choose": "把更清晰的照片拖到这里，或点击选择",
    "references.choose.touch": "选择更清晰的照片",
    "references.more": "再加一张",
    "references.help": "它们提供眼睛、眼睑、皱纹与痣等细节；光线与颜色保持原样。",
    "references.brought": "已添加 {name}",
    "references.remove": "移除 {name}",
    "references.looking": "正在判断是否为同一人……",
    "references.no-face": "没有选中可用它修复的人脸。",
    "references.itself": "这就是当前图片本身。",
    "references.same": "无需使用：其余照片细节更多。",
    "references.doubt": "未使用：可能是另一个人（相似度 {likeness}，{limit} 起视为同一人）。",
    "references.other": "未使用：很可能是另一个人（相似度 {likeness}，{limit} 起视为同一人）。",
    "references.trust": "仍然使用",
    "references.trusted": "按您的判断使用（相似度 {likeness}，{limit} 起视为同一人）。",
    "references.gives": "提供：{regions}。",
    "references.gives.face": "为人脸 {number} 提供：{regions}。",
    "references.nothing": "是同一人，但这里没有可补充的细节。",
    "presets.title": "预设",
    "presets.back": "恢复预设",
    "presets.sets": "设置：{what}",
    "preset.auto": "自动",
    "preset.standard": "标准",
    "preset.natural": "自然",
    "preset.early-digital": "早期数码",
    "preset.ai-portrait": "AI 人像",
    "preset.film-scan": "胶片扫描",
    "preset.low-light": "弱光",
    "preset.plain": "原样网络",
    "preset.auto.for": "按照片的情况自动选择",
    "preset.standard.for": "完整力度，适合多数照片",
    "preset.natural.for": "优先保留皮肤质感",
    "preset.early-digital.for": "老数码相机、重度压缩",
    "preset.ai-portrait.for": "生成人像的眼睛与耳朵",
    "preset.film-scan.for": "扫描件，保留颗粒",
    "preset.low-light.for": "手机夜拍",
    "preset.plain.for": "网络单独给出的结果",
    "controls.title": "修复力度",
    "controls.again": "{what}（需要稍等）",
    "repair.title": "修补",
    "repair.found": "已修补：划痕 {scratches}，斑点 {specks}，缺失 {pieces}",
    "repair.nothing": "没有发现划痕或灰尘。",
    "repair.offer": "发现：划痕 {scratches}，斑点 {specks}，缺失 {pieces}",
    "repair.mend": "修补",
    "repair.show": "显示修补的位置",
    "repair.brush": "画笔",
    "repair.paint": "修补此处",
    "repair.rub": "保持原样",
    "repair.clear": "清除涂抹",
    "repair.size": "画笔大小",
    "repair.help": "在照片上涂抹。键盘：方向键移动画笔，回车涂抹，Esc 放下。双指或滚轮缩放。",
    "repair.painted": "已修补此处",
    "repair.rubbed": "已保持原样",
    "grain.title": "颗粒",
    "skin.title": "肤色保护",
    "advanced.title": "高级参数",
    "regions.title": "区域权重",
    "regions.help": "0 保持原样，2 修复最多。",
    "model.title": "模型设置",
    "model.name": "网络",
    "model.size": "人脸尺寸",
    "model.runtime": "运行环境",
    "findings.title": "修复前须知",
    "findings.enlarge": "放大结果",
    "findings.none": "这张图片没有发现问题。",
    "evidence.title": "修复证据",
    "evidence.measure": "测量人脸 {number}",
    "evidence.again": "以下为其他设置下的测量结果。",
    "evidence.note": "更清晰并不等于更真实：修复后的面孔不能作为某人长相的证据。",
    "evidence.busy": "正在测量……",
    "verdict.good": "良好",
    "verdict.look": "留意",
    "verdict.bad": "有问题",
    "verdict.none": "未判定",
    "warnings.title": "请注意",
    "loupe.eye": "眼睛",
    "loupe.hair": "头发",
    "loupe.skin": "皮肤",
    "loupe.title": "{spot}，{percent}",
    "loupe.go": "定位到此处",
    "take.title": "下载",
    "take.web": "网页",
    "take.print": "冲印",
    "take.png": "PNG",
    "take.proof": "样张",
    "take.web.for": "JPEG",
    "take.print.for": "TIFF，300 dpi",
    "take.png.for": "无损",
    "take.proof.for": "前后对照",
    "take.size": "尺寸",
    "take.size.same": "与原图相同",
    "take.size.auto": "放大到人脸细节可见",
    "take.side": "网页版长边",
    "take.paper": "冲印尺寸",
    "opened.faces": "{name}：找到 {count} 张人脸",
    "download.done": "已保存 {name}",
    "unit.levels": "级",
    "list.colon": "：",
    "list.comma": "，",
    "list.stop": "。",
  },
};

const KEPT = "likeness.language";
let language = "en";
const listeners = new Set();

export function currentLanguage() {
  return language;
}

/** Whether the pointer is a finger: what a hand with a mouse or keys does is not offered then. */
const TOUCH = globalThis.matchMedia?.("(pointer: coarse)").matches ?? false;

/** A text of the page (for fingers in words of their own, where KEY.touch has them), with {names} filled in. A missing one is a fault that a test finds, not something to hide. */
export function t(key, values = {}) {
  const words = WORDS[language];
  const text = (TOUCH && words[`${key}.touch`]) || words[key];
  if (text === undefined) throw new Error(`no words for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

export function onLanguage(listener) {
  listeners.add(listener);
}

export function addWords(more) {
  for (const [name, words] of Object.entries(more)) Object.assign(WORDS[name], words);
}

/** The words of the options, which the server tells: `control.KEY`, its help as a sentence, and `region.NAME`. */
export function learnWords(options) {
  for (const [name, words] of Object.entries(WORDS)) {
    for (const { key, label, help, projects, regions = {} } of options) {
      const sentence = name === "zh" ? `${help.zh}。` : `${help[name][0].toUpperCase()}${help[name].slice(1)}.`;
      words[`control.${key}`] = label[name];
      words[`control.${key}.help`] = projects ? words["controls.again"].replace("{what}", sentence) : sentence;
      for (const [region, names] of Object.entries(regions)) words[`region.${region}`] = names[name];
    }
  }
}

export function setLanguage(name) {
  language = name in WORDS ? name : "en";
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // A browser that keeps nothing shows its own language next time.
  }
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  applyWords(document);
  for (const listener of listeners) listener(language);
}

export function firstLanguage() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    kept = null;
  }
  if (kept in WORDS) return kept;
  return (navigator.languages ?? [navigator.language]).some((name) => name.toLowerCase().startsWith("zh")) &&
    !navigator.language.toLowerCase().startsWith("en")
    ? "zh"
    : "en";
}

/** Put the words into everything that names them: data-t its text, data-label its accessible name. */
export function applyWords(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
}

export { WORDS };
