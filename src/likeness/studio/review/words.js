// What the page says, in its languages.

export const WORDS = {
  en: {
    other: "中文", title: "Blind review",
    intro: "You will see versions of the same picture side by side and rate each from 1 to 5. Nobody is told which version is "
      + "which. Your ratings are kept at once; you may stop at any time and go on later.",
    yourName: "Your name", nameWhy: "Type the same name again to go on where you stopped.", start: "Start",
    question: "How good is each picture? Does it still look like the person?",
    grades: ["Bad", "Poor", "Fair", "Good", "Excellent"],
    original: "Original", unrated: "The picture before the work, for comparison", picture: "Picture {0}", comment: "Comment on {0}", count: "{0} of {1}",
    fit: "Fit", fitWhy: "Show the whole picture (0)", loupe: "Loupe", loupeWhy: "Loupe on all pictures (L)",
    flip: "Flip", flipWhy: "One picture at a time, in the same place (F)",
    zoomIn: "Larger (+)", zoomOut: "Smaller (-)", keys: "Keys", close: "Close",
    back: "Back", next: "Next", finish: "Finish",
    hintRate: "Keys 1 to 5 rate picture {0}", hintOpen: "Still to rate: {0}", hintNext: "All rated: Enter goes on", saving: "Saving…",
    notSaved: "Not saved yet: the server does not answer. Leave this page open; it is tried again.",
    doneTitle: "Thank you, {0}", doneAll: "All {0} pictures are rated. You can close this page.",
    doneSome: "{0} of {1} pictures are not fully rated yet.", goOn: "Go on", look: "Look at them again",
    leave: "Somebody else rates", unreachable: "The server does not answer; ask whoever runs the review.",
    keyList: [["1 – 5", "rate the chosen picture, and choose the next"], ["A B C D  ← →", "choose a picture"],
      ["Enter", "next"], ["Backspace", "back"], ["+  −  0", "larger, smaller, whole picture; also the wheel, and drag"],
      ["L", "loupe on all pictures"], ["F", "one picture at a time, in the same place; O shows the original"],
      ["M", "write a comment; Escape leaves it"], ["?", "this list"]],
  },
  zh: {
    other: "English", title: "盲评",
    intro: "页面会并排显示同一张照片的几个版本，请分别打 1 到 5 分。任何人都不会被告知哪个版本来自哪里。评分会立即保存，您可以随时停下，以后再继续。",
    yourName: "您的姓名", nameWhy: "下次输入相同的姓名，即可从停下的地方继续。", start: "开始",
    question: "每张照片的效果如何？看起来还是本人吗？",
    grades: ["很差", "较差", "一般", "良好", "优秀"],
    original: "原片", unrated: "处理前的照片，仅供对照", picture: "照片 {0}", comment: "对 {0} 的意见", count: "第 {0} 张，共 {1} 张",
    fit: "全图", fitWhy: "显示整张照片（0）", loupe: "放大镜", loupeWhy: "在所有照片上显示放大镜（L）",
    flip: "切换", flipWhy: "在同一位置逐张查看（F）",
    zoomIn: "放大（+）", zoomOut: "缩小（-）", keys: "快捷键", close: "关闭",
    back: "上一张", next: "下一张", finish: "完成",
    hintRate: "按 1 到 5 为照片 {0} 打分", hintOpen: "还需评分：{0}", hintNext: "已全部打分，按回车键继续", saving: "正在保存…",
    notSaved: "尚未保存：服务器没有响应。请不要关闭此页面，系统会自动重试。",
    doneTitle: "谢谢您，{0}", doneAll: "{0} 张照片已全部评完，可以关闭此页面。",
    doneSome: "共 {1} 张照片，还有 {0} 张没有评完。", goOn: "继续", look: "再看一遍",
    leave: "换人评分", unreachable: "服务器没有响应，请联系评审的负责人。",
    keyList: [["1 – 5", "为选中的照片打分，并选中下一张"], ["A B C D  ← →", "选择照片"],
      ["Enter", "下一组"], ["Backspace", "上一组"], ["+  −  0", "放大、缩小、全图；也可以用滚轮和拖动"],
      ["L", "在所有照片上显示放大镜"], ["F", "在同一位置逐张查看；按 O 显示原片"],
      ["M", "填写意见；按 Escape 退出"], ["?", "显示此列表"]],
  },
};

export function filled(text, ...values) {
  return text.replace(/\{(\d)\}/g, (_, place) => values[place]);
}
